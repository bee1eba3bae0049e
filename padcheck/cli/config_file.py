"""Reads the settings of `padcheck check` from padcheck.toml, or from `[tool.padcheck]` in pyproject.toml.

The keys are the names of the settings, with hyphens. Paths are relative to the file. The command line overrides the
table of a model, which overrides the section. The codes that they ignore add up.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from functools import reduce
from operator import or_
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

from padcheck.cli.files import possible_path
from padcheck.cli.prompts_file import all_prompts, path_of, without_unused_choices
from padcheck.core.errors import UsageError
from padcheck.core.report import ConfigurationFile
from padcheck.core.repository import from_repository_root, workflow_file
from padcheck.core.settings import JudgeSettings, MeasureSettings, belonging_to
from padcheck.core.severity import Severity
from padcheck.running.many_models import Job

FILES = ("padcheck.toml", "pyproject.toml")
"""The files that are tried, in this order."""

_WRITTEN_OTHERWISE: dict[str, Any] = {
    "prompts": list[str],
    "select": list[str],
    "ignore": dict[str, Annotated[str, Meta(min_length=1)]],
    "fail_on": Literal["error", "warning", "info", "never"],
}
"""Settings that have another type in a file than in the program."""

_NOT_IN_A_FILE = ("model", "known", "packed")


def _optional(kind: Any) -> Any:
    """The type of an optional key. TOML has no null, so None is not allowed."""
    kinds = get_args(kind) if NoneType in get_args(kind) else (kind,)
    return reduce(or_, (each for each in kinds if each is not NoneType)) | UnsetType


ModelTable: Any = msgspec.defstruct(
    "ModelTable",
    [
        *(
            (name, _optional(_WRITTEN_OTHERWISE.get(name, kind)), UNSET)
            for name, kind in {
                each.name: each.type for settings in (MeasureSettings, JudgeSettings) for each in fields(settings)
            }.items()
            if name not in _NOT_IN_A_FILE
        ),
        ("prompts_file", _optional(str), UNSET),
        ("column", _optional(str), UNSET),
        ("num_prompts", _optional(Annotated[int, Meta(ge=1)]), UNSET),
    ],
    rename="kebab",
    forbid_unknown_fields=True,
)
"""The settings of one model."""

Section: Any = msgspec.defstruct(
    "Section",
    [
        ("models", _optional(list[str]), UNSET),
        ("baseline", _optional(str), UNSET),
        ("report", _optional(dict[str, str]), UNSET),
        ("model", _optional(dict[str, ModelTable]), UNSET),
    ],
    bases=(ModelTable,),
    rename="kebab",
    forbid_unknown_fields=True,
)
"""`[tool.padcheck]`: the settings of all models, and in `model` those of a single model."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration file.

    Attributes:
        path: None if there is no file.
        text: Its content.
        models: The models that it lists.
        baseline: Its baseline file.
        reports: Its report files, by format.
        shared: The settings of all models, under the names that the program uses.
        tables: The settings of single models, in the same form.
    """

    path: Path | None = None
    text: str = ""
    models: tuple[str, ...] = ()
    baseline: Path | None = None
    reports: dict[str, str] = {}
    shared: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}

    def jobs(self, models: Sequence[str], given: Mapping[str, Any]) -> list[Job]:
        """The job of each model on the command line, or in the file if the command line has none.

        Raises:
            UsageError: No model is named, a table belongs to none of the models, or a value is out of range.
        """
        names = tuple(dict.fromkeys(models or self.models))
        if not names:
            raise UsageError(
                "Neither the command line nor padcheck.toml or pyproject.toml of this folder names a model.",
                change='Give one on the command line, or write models = ["gpt2"] in padcheck.toml, or in '
                "pyproject.toml under [tool.padcheck].",
            )
        for name in self.tables:
            if name not in (*self.models, *names):
                raise UsageError(
                    f"{self.path} has a table for the model {name}, which is not in its models.",
                    change=_did_you_mean(name, self.models or names) or f'Add "{name}" to models, or remove the table.',
                )
        return [self._job(name, given) for name in names]

    @property
    def inputs(self) -> list[Path]:
        """The file itself, its baseline, and its prompts files."""
        layers = (self.shared, *self.tables.values())
        prompts = (layer.get("prompts_file") for layer in layers)
        return [each for each in (self.path, self.baseline, *prompts) if each is not None]

    def file(self, jobs: Sequence[Job]) -> ConfigurationFile | None:
        """The file, and the line of each model. Without a file, that of the GitHub workflow, which names the models."""
        if self.path is None:
            return ConfigurationFile(path=workflow) if (workflow := workflow_file()) is not None else None
        names = [job.measure.model for job in jobs]
        return ConfigurationFile(path=from_repository_root(self.path), lines={name: self._line(name) for name in names})

    def _line(self, name: str) -> int:
        """The line with the model, or the first line of the section if there is no such line."""
        lines = list(enumerate(self.text.splitlines(), start=1))
        for wanted in (f'"{name}"', f"'{name}'", "[tool.padcheck]"):
            for number, line in lines:
                if wanted in line:
                    return number
        return 1

    def _job(self, name: str, given: Mapping[str, Any]) -> Job:
        layers = (self.shared, self.tables.get(name, {}), given)
        settings: dict[str, Any] = {}
        for layer in layers:
            for key in _overridden_by(layer):
                settings.pop(key, None)
            settings |= layer
        settings["ignore"] = {code: why for layer in layers for code, why in layer.get("ignore", {}).items()}
        return Job(
            MeasureSettings(**belonging_to(MeasureSettings, without_unused_choices(settings)), model=name),
            JudgeSettings(**belonging_to(JudgeSettings, settings)),
        )


def _overridden_by(layer: Mapping[str, Any]) -> Iterator[str]:
    """The settings of outer layers that contradict the settings of this layer."""
    if "prompts" in layer:
        yield "choices"
    if "device" in layer:
        yield "device_map"
    if "device_map" in layer:
        yield "device"
    if layer.get("do_sample") is False:
        yield from ("temperature", "top_k", "top_p")


def read(path: Path | None, folder: Path = Path()) -> Configuration:
    """Reads the settings from `path`. If it is None, reads the first of `FILES` in the folder that has settings.

    Raises:
        UsageError: The file cannot be read, is not TOML, has no section, or has an unknown key or an invalid value.
    """
    if path is not None:
        found = _read(path)
        if found is None:
            raise UsageError(f"{path} has no [tool.padcheck].", change="Add it, or give another file.")
        return found
    for file in (folder / name for name in FILES):
        if file.is_file() and (found := _read(file)) is not None:
            return found
    return Configuration()


def _read(path: Path) -> Configuration | None:
    try:
        text = possible_path("The configuration", path).read_text(encoding="utf-8-sig")
        document: dict[str, Any] = msgspec.toml.decode(text)
    except OSError as error:
        raise UsageError(
            f"The configuration {path} cannot be read: {error.strerror or error}.", change="Check the path."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"The configuration {path} is not TOML: {error}.", change="Fix that line. A text needs quotes."
        ) from error
    tool = document.get("tool")
    if not isinstance(tool, dict) or "padcheck" not in tool:
        return None if path.name == "pyproject.toml" else _configuration(path, text, document)
    if not isinstance(tool["padcheck"], dict):
        raise UsageError(
            f"{path}: tool.padcheck is not a table.", change="Write [tool.padcheck], and the keys below it."
        )
    return _configuration(path, text, tool["padcheck"])


def _configuration(path: Path, text: str, section: dict[str, Any]) -> Configuration:
    _require_known_keys(path, section, Section, "")
    tables = section.get("model", {})
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            _require_known_keys(path, table, ModelTable, f' of the model "{name}"')
    try:
        written = msgspec.convert(section, Section)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_in_words_of_toml(str(error))}.", change=_what_to_write(str(error))) from error
    shared = _given(written)
    own = {key: shared.pop(key) for key in ("models", "baseline", "report", "model") if key in shared}
    return Configuration(
        path=path,
        text=text,
        models=tuple(own.get("models", ())),
        baseline=possible_path(f"{path}: baseline", path.parent / own["baseline"]) if "baseline" in own else None,
        reports={
            name: str(possible_path(f"{path}: report {name}", path.parent / file))
            for name, file in own.get("report", {}).items()
        },
        shared=_as_settings(shared, path.parent),
        tables={name: _as_settings(_given(table), path.parent) for name, table in own.get("model", {}).items()},
    )


def _given(table: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key in table.__struct_fields__ if (value := getattr(table, key)) is not UNSET}


def _require_known_keys(path: Path, table: dict[str, Any], kind: Any, where: str) -> None:
    known = kind.__struct_encode_fields__
    for key in table:
        if key not in known:
            raise UsageError(
                f"{path}: unknown key {key}{where}.",
                change=_did_you_mean(key, known) or f"The keys are {', '.join(known)}.",
            )


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else ""


def _in_words_of_toml(error: str) -> str:
    """The message of msgspec, with the names of TOML for its types."""
    words = {
        "`array`": "a list",
        "`object`": "a table",
        "`str`": "a text",
        "`int`": "a whole number",
        "`bool`": "true or false",
    }
    for kind, word in words.items():
        error = error.replace(kind, word)
    return error


def _what_to_write(error: str) -> str:
    """What the key in the error accepts."""
    found = re.search(r"\$(?:\.model\[\.\.\.\])?\.([\w-]+)", error)
    key = found[1] if found else ""
    if key == "ignore":
        return 'Give each code its reason: ignore = { PAD106 = "why" }.'
    kinds = {field.encode_name: get_args(field.type) for field in msgspec.structs.fields(Section)}
    texts = [each for kind in kinds.get(key, ()) for each in (kind, *get_args(kind)) if get_origin(each) is Literal]
    values = [value for each in texts for value in get_args(each)]
    return f"Use {', '.join(values)}." if values else "Give the key a value of that type."


def _as_settings(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table in the form that the program uses. Paths are relative to `folder`."""
    settings = dict(table)
    if table.keys() & {"prompts", "prompts_file", "column", "num_prompts"}:
        file = table.get("prompts_file")
        if file is not None:
            file = file if file == "-" else str(folder / file)
            settings["prompts_file"] = path_of(file)
        settings |= all_prompts(table.get("prompts", ()), file, table)
    if "select" in table:
        settings["select"] = tuple(code.upper() for code in table["select"])
    if "ignore" in table:
        settings["ignore"] = {code.upper(): why for code, why in table["ignore"].items()}
    if "fail_on" in table:
        settings["fail_on"] = None if table["fail_on"] == "never" else Severity(table["fail_on"])
    return settings
