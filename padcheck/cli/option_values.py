"""Turns the options of a command into settings."""

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from padcheck.cli.choices import FailOn
from padcheck.cli.files import possible_path
from padcheck.cli.prompts_file import all_prompts, load_prompts, path_of, without_unused_choices
from padcheck.core.errors import UsageError
from padcheck.core.settings import (
    EVERY_ATTENTION,
    JudgeSettings,
    MeasureSettings,
    OutputSettings,
    SurveySettings,
    belonging_to,
)

Settings = TypeVar("Settings", MeasureSettings, JudgeSettings, OutputSettings, SurveySettings)

_PATHS = {"--config": "config", "--baseline": "baseline", "--output": "path"}
"""The options that name a file, apart from --prompts and --report."""


_CHANGEABLE = ("dtype", "revision", "adapter", "device", "attn_implementation")
"""The settings that --against changes: those whose values every report shows."""


def option_values(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, under the names and in the form that the settings use.

    Args:
        asked: What Typer parsed, by option; None for an option that was not given.

    Raises:
        UsageError: A value is invalid, no file can have a given name, or a prompts file cannot be read.
    """
    values = {name: each.value if isinstance(each, Enum) else each for name, each in asked.items() if each is not None}
    if "prompts" in values:
        values["prompts_file"] = path_of(values["prompts"])
    if values.keys() & {"prompt", "prompts", "column", "num_prompts"}:
        values |= all_prompts(values.pop("prompt", ()), values.get("prompts"), values)
    if "continuations" in values:
        values["continuations_file"] = Path(values["continuations"])
        values["continuations"] = load_prompts(values["continuations"])
    if "against" in values and values.get("attn_implementation") == EVERY_ATTENTION:
        raise UsageError(
            f"--against and --attn-implementation {EVERY_ATTENTION} exclude each other.",
            change="Name each implementation: --against attn-implementation=eager.",
        )
    values |= {name: convert(values[name]) for name, convert in _CONVERTERS.items() if name in values}
    _require_possible_paths(values)
    return values


def _require_possible_paths(values: Mapping[str, Any]) -> None:
    paths = {option: values.get(name) for option, name in _PATHS.items()}
    paths |= {f"--report {name}": path for name, path in values.get("reports", {}).items()}
    for option, path in paths.items():
        if path is not None:
            possible_path(option, path)


def build(kind: type[Settings], values: Mapping[str, Any], **more: Any) -> Settings:
    """Settings of one kind, from those values that belong to it.

    Raises:
        UsageError: A value is out of range, or values contradict each other.
    """
    return kind(**belonging_to(kind, without_unused_choices(values)), **more)


def build_output(values: Mapping[str, Any], *measured: MeasureSettings) -> OutputSettings:
    """Where this process writes. Of several processes that share a model, only the first one writes.

    Raises:
        UsageError: The number of processes does not fit --tp-plan.
    """
    from padcheck.core import torchrun

    writes = torchrun.is_heard(in_parallel=any(measure.tp_plan for measure in measured))
    return build(OutputSettings, values, discarded=not writes)


def _batch_size(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--batch-size is {text}.", change="Use a whole number, or auto.") from None


def _change(text: str) -> dict[str, str]:
    option, _, value = text.partition("=")
    name = option.strip().removeprefix("--").replace("-", "_")
    if name not in _CHANGEABLE or not value.strip() or value.strip() == EVERY_ATTENTION:
        raise UsageError(
            f"--against is {text!r}.",
            change="Write OPTION=VALUE, such as dtype=bfloat16. OPTION is "
            f"{', '.join(each.replace('_', '-') for each in _CHANGEABLE)}.",
        )
    return {name: value.strip()}


def _codes(options: list[str]) -> tuple[str, ...]:
    return tuple(code.upper() for code in _parts(options))


def _words(options: list[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in _parts(options)) or ("",)


def _ignored(options: list[str]) -> dict[str, str]:
    """The reason for each code that --ignore leaves out."""
    return dict.fromkeys(_codes(options), "left out by --ignore")


def _files_by_format(options: list[str]) -> dict[str, Path]:
    from padcheck.reporters import files_by_format

    return files_by_format(options)


def _changes(options: list[str]) -> tuple[dict[str, str], ...]:
    """The setting that each --against changes, with its value."""
    return tuple(map(_change, options))


def _parts(options: list[str]) -> list[str]:
    """The parts between commas, of all options together."""
    return [part.strip() for option in options for part in option.split(",") if part.strip()]


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "against": _changes,
    "batch_size": _batch_size,
    "fail_on": lambda word: FailOn(word).severity,
    "ignore": _ignored,
    "reports": _files_by_format,
    "select": _codes,
    "tasks": _words,
    "with_modes": _words,
}
"""What turns the parsed value of an option into that of its setting."""
