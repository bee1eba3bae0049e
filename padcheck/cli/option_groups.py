"""Groups of options, and the decorator that gives a command its groups. `padcheck.cli.options` defines each option."""

import inspect
from collections.abc import Callable
from copy import copy
from typing import Annotated, Any, get_args

import typer

from padcheck.cli import run_options
from padcheck.cli.options import (
    Adapter,
    Against,
    AttnImplementation,
    BatchSize,
    Chat,
    Column,
    Continuations,
    CrossLimits,
    Device,
    DeviceMap,
    DoSample,
    Dtype,
    GgufFile,
    Jobs,
    MaxNewTokens,
    Multimodal,
    NumPrompts,
    PaddingSideOption,
    PadToken,
    Prompt,
    Prompts,
    Ray,
    Revision,
    Seed,
    SurveyedTasks,
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
    WithModes,
)
from padcheck.cli.report_options import (
    Atol,
    BaselineOption,
    Config,
    FailOnOption,
    FormatOption,
    Ignore,
    Output,
    Quiet,
    ReportsOption,
    Rtol,
    Select,
    Verbose,
    VerboseSurvey,
    WriteBaseline,
)

Group = dict[str, Any]
"""Options, by the name of the setting."""


def _panel(panel: str | None, **options: Any) -> Group:
    """Options that --help shows in a panel of this name; None for the first panel, which has the most used ones."""
    return {name: _in_panel(panel, option) for name, option in options.items()}


def _in_panel(panel: str | None, option: Any) -> Any:
    kind, information = get_args(option)
    information = copy(information)
    information.rich_help_panel = panel
    return Annotated[kind, information]


PROMPTS = _panel(
    None, prompt=Prompt, prompts=Prompts, column=Column, num_prompts=NumPrompts, chat=Chat, pad_token=PadToken
)
LENGTH = _panel(None, max_new_tokens=MaxNewTokens)
JUDGED_USE = _panel(None, task=TaskOption, padding_side=PaddingSideOption)
USE = JUDGED_USE | _panel(None, continuations=Continuations)
CONFIGURATION = _panel(None, config=Config, baseline=BaselineOption, write_baseline=WriteBaseline)
SURVEYING = _panel(None, multimodal=Multimodal, tasks=SurveyedTasks, jobs=Jobs, timeout=Timeout)
WATCHING = _panel(
    None,
    as_module=run_options.AsModule,
    every_call=run_options.EveryCall,
    widen=run_options.Widen,
    baseline=BaselineOption,
    write_baseline=WriteBaseline,
)

_REPORT = "Report"
OUTPUT = _panel(_REPORT, format=FormatOption, path=Output, reports=ReportsOption, verbose=Verbose, quiet=Quiet)
OUTPUT_OF_SURVEY = OUTPUT | _panel(_REPORT, verbose=VerboseSurvey)
OUTPUT_OF_RUN = OUTPUT | _panel(_REPORT, path=run_options.Output, verbose=run_options.Verbose, quiet=run_options.Quiet)
RULES = _panel("Findings", fail_on=FailOnOption, select=Select, ignore=Ignore)

RUNNING = _panel("Running", dtype=Dtype, device=Device, attn_implementation=AttnImplementation)
CLUSTER = _panel("Running", ray=Ray)
LOADING = _panel(
    "Loading",
    revision=Revision,
    tokenizer=Tokenizer,
    adapter=Adapter,
    gguf_file=GgufFile,
    trust_remote_code=TrustRemoteCode,
)
WEIGHTS = _panel("Loading", tiny=Tiny, device_map=DeviceMap, tp_plan=TpPlan)

_DEPTH = "Sampling and depth"
SEED = _panel(_DEPTH, seed=Seed)
DECODING = _panel(
    _DEPTH,
    batch_size=BatchSize,
    thorough=Thorough,
    cross_limits=CrossLimits,
    do_sample=DoSample,
    temperature=Temperature,
    top_k=TopK,
    top_p=TopP,
    seed=Seed,
)
SIDE_BY_SIDE = _panel("Running", against=Against)
MODES = _panel(_DEPTH, with_modes=WithModes)
TOLERANCE = _panel("Tolerance", atol=Atol, rtol=Rtol)


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
    panel = information.rich_help_panel
    return Annotated[kind, typer.Option(f"--{name}/--no-{name}", help=information.help, rich_help_panel=panel)]
