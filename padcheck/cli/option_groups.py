"""Groups of options, and the decorator that gives a command its groups. `padcheck.cli.options` defines each option."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from padcheck.cli import run_options
from padcheck.cli.options import (
    Atol,
    AttnImplementation,
    BaselineOption,
    BatchSize,
    Chat,
    Config,
    Device,
    DeviceMap,
    DoSample,
    Dtype,
    FailOnOption,
    FormatOption,
    GgufFile,
    Ignore,
    Jobs,
    MaxNewTokens,
    Multimodal,
    Output,
    PaddingSideOption,
    PadToken,
    Prompt,
    Prompts,
    Quiet,
    Ray,
    ReportsOption,
    Revision,
    Rtol,
    Seed,
    Select,
    TaskOption,
    Temperature,
    Thorough,
    Timeout,
    Tiny,
    Tokenizer,
    TopK,
    TopP,
    TpPlan,
    TrustRemoteCode,
    Verbose,
    WriteBaseline,
)

Group = dict[str, Any]
"""Options, by the name of the setting."""

PROMPTS: Group = {"prompt": Prompt, "prompts": Prompts, "chat": Chat, "pad_token": PadToken}
LENGTH: Group = {"max_new_tokens": MaxNewTokens}
DECODING: Group = {
    "do_sample": DoSample,
    "temperature": Temperature,
    "top_k": TopK,
    "top_p": TopP,
    "seed": Seed,
    "batch_size": BatchSize,
    "thorough": Thorough,
}
RUNNING: Group = {"dtype": Dtype, "device": Device, "attn_implementation": AttnImplementation}
LOADING: Group = {
    "revision": Revision,
    "gguf_file": GgufFile,
    "tokenizer": Tokenizer,
    "trust_remote_code": TrustRemoteCode,
}
WEIGHTS: Group = {"device_map": DeviceMap, "tp_plan": TpPlan, "tiny": Tiny}
SURVEYING: Group = {"multimodal": Multimodal, "jobs": Jobs, "timeout": Timeout}
WATCHING: Group = {"as_module": run_options.AsModule, "every_call": run_options.EveryCall}
CLUSTER: Group = {"ray": Ray}
USE: Group = {"task": TaskOption, "padding_side": PaddingSideOption}
TOLERANCE: Group = {"atol": Atol, "rtol": Rtol}
RULES: Group = {"select": Select, "ignore": Ignore, "fail_on": FailOnOption}
CONFIGURATION: Group = {"config": Config, "baseline": BaselineOption, "write_baseline": WriteBaseline}
OUTPUT: Group = {
    "format": FormatOption,
    "path": Output,
    "reports": ReportsOption,
    "quiet": Quiet,
    "verbose": Verbose,
}

OUTPUT_OF_RUN: Group = OUTPUT | {
    "path": run_options.Output,
    "quiet": run_options.Quiet,
    "verbose": run_options.Verbose,
}


def takes(*groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of these groups as keyword arguments. An option that is not given is None."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(command).parameters.values() if each.kind is not each.VAR_KEYWORD]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
            for group in groups
            for name, option in group.items()
        ]
        # Typer reads both of these.
        vars(command)["__signature__"] = inspect.Signature([*own, *shared])
        command.__annotations__ = {each.name: each.annotation for each in (*own, *shared)}
        return command

    return decorate


def negatable(group: Group) -> Group:
    """The group with a --no- form for each flag, for a command whose flags may also be set in a file."""
    return {name: _with_no(name, option) for name, option in group.items()}


def _with_no(name: str, option: Any) -> Any:
    kind, information = get_args(option)
    if kind != bool | None:
        return option
    name = name.replace("_", "-")
    return Annotated[kind, typer.Option(f"--{name}/--no-{name}", help=information.help)]
