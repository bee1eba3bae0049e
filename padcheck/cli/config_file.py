"""The settings of a check from a file of the current folder: padcheck.toml, or `[tool.padcheck]` in pyproject.toml.

Keys are the settings' own names, with hyphens; files that they name stand beside the configuration. What is nearest to
the model wins: the command line, then the model's own table, then the section; what they ignore adds up.
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

from padcheck.cli.prompts_file import load_prompts
from padcheck.core.errors import UsageError
from padcheck.core.report import ConfigurationFile
from padcheck.core.settings import JudgeSettings, MeasureSettings, those_of
from padcheck.core.severity import Severity
from padcheck.running.many_models import Job

FILES = ("padcheck.toml", "pyproject.toml")
"""Where the settings are looked for, in this order."""

_WRITTEN_OTHERWISE: dict[str, Any] = {
    "prompts": list[str],
    "select": list[str],
    "ignore": dict[str, Annotated[str, Meta(min_length=1)]],
    "fail_on": Literal["error", "warning", "info", "never"],
}
"""Settings that have another form in a file than in the program."""

_NOT_IN_A_FILE = ("model", "known")


def _optional(kind: Any) -> Any:
    """The type of a key that may be left out; TOML has no null."""
    kinds = get_args(kind) if NoneType in get_args(kind) else (kind,)
    return reduce(or_, (each for each in kinds if each is not NoneType)) | UnsetType


ModelTable: Any = msgspec.defstruct(
    "ModelTable",
    [
        *(
            (each.name, _optional(_WRITTEN_OTHERWISE.get(each.name, each.type)), UNSET)
            for settings in (MeasureSettings, JudgeSettings)
            for each in fields(settings)
            if each.name not in _NOT_IN_A_FILE
        ),
        ("prompts_file", _optional(str), UNSET),
    ],
    rename="kebab",
    forbid_unknown_fields=True,
)
"""What can be set for one model."""

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
"""`[tool.padcheck]`: what is set for all models, and in `model` what is set for one."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read. `shared` and `tables` hold settings by the names that the program has for them."""

    path: Path | None = None
    text: str = ""
    models: tuple[str, ...] = ()
    baseline: Path | None = None
    reports: dict[str, str] = {}
    shared: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}

    def jobs(self, models: Sequence[str], given: Mapping[str, Any]) -> list[Job]:
        """What to measure and how to judge it, for the models of the command line or else of the file.

        Raises:
            UsageError: No model is named, or a table belongs to none of them, or a value is out of its range.
        """
        names = tuple(dict.fromkeys(models or self.models))
        if not names:
            raise UsageError(
                "No model is named, and padcheck.toml or pyproject.toml of this folder names none.",
                change='Name one on the command line, or write models = ["gpt2"] in padcheck.toml, or in '
                "pyproject.toml under [tool.padcheck].",
            )
        for name in self.tables:
            if name not in (*self.models, *names):
                raise UsageError(
                    f"{self.path} has a table for the model {name}, which is not in its list of models.",
                    change=_did_you_mean(name, self.models or names) or f'Add "{name}" to models, or remove the table.',
                )
        return [self._job(name, given) for name in names]

    def file(self, jobs: Sequence[Job]) -> ConfigurationFile | None:
        """The file, and where it names the models of these jobs; None where none was read."""
        if self.path is None:
            return None
        names = [job.measure.model for job in jobs]
        return ConfigurationFile(path=self.path.as_posix(), lines={name: self._line(name) for name in names})

    def _line(self, name: str) -> int:
        """Where the model stands, else where the section begins."""
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
            for key in _gives_way_to(layer):
                settings.pop(key, None)
            settings |= layer
        settings["ignore"] = {code: why for layer in layers for code, why in layer.get("ignore", {}).items()}
        return Job(
            MeasureSettings(**those_of(MeasureSettings, settings), model=name),
            JudgeSettings(**those_of(JudgeSettings, settings)),
        )


def _gives_way_to(layer: Mapping[str, Any]) -> Iterator[str]:
    """What is set further off and does not go with what is set here."""
    if "device" in layer:
        yield "device_map"
    if "device_map" in layer:
        yield "device"
    if layer.get("do_sample") is False:
        yield from ("temperature", "top_k", "top_p")


def read(path: Path | None, folder: Path = Path()) -> Configuration:
    """Reads the settings from a file, or where none is named from the first of `FILES` in a folder that has some.

    Raises:
        UsageError: It cannot be read, is not TOML, has no section, or a key or a value that there is not.
    """
    if path is not None:
        found = _read(path)
        if found is None:
            raise UsageError(f"{path} has no [tool.padcheck].", change="Add it, or name another file.")
        return found
    for file in (folder / name for name in FILES):
        if file.is_file() and (found := _read(file)) is not None:
            return found
    return Configuration()


def _read(path: Path) -> Configuration | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        document: dict[str, Any] = msgspec.toml.decode(text)
    except OSError as error:
        raise UsageError(
            f"The configuration {path} cannot be read: {error.strerror or error}.", change="Check the path."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The configuration {path} is not TOML: {error}.", change="Mend that line, or quote its value."
        ) from error
    tool = document.get("tool")
    if not isinstance(tool, dict) or "padcheck" not in tool:
        return None if path.name == "pyproject.toml" else _configuration(path, text, document)
    if not isinstance(tool["padcheck"], dict):
        raise UsageError(f"{path}: padcheck is not a table there.", change="Write [tool.padcheck], and keys below it.")
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
        baseline=path.parent / own["baseline"] if "baseline" in own else None,
        reports={name: str(path.parent / file) for name, file in own.get("report", {}).items()},
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
                f"{path}: there is no key {key}{where}.",
                change=_did_you_mean(key, known) or f"The keys are {', '.join(known)}.",
            )


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else ""


def _in_words_of_toml(error: str) -> str:
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
    """The values that the key of an error takes, where they can be listed."""
    found = re.search(r"\$(?:\.model\[\.\.\.\])?\.([\w-]+)", error)
    key = found[1] if found else ""
    if key == "ignore":
        return 'Give each code its reason: ignore = { PAD106 = "why" }.'
    kinds = {field.encode_name: get_args(field.type) for field in msgspec.structs.fields(Section)}
    values = [value for kind in kinds.get(key, ()) if get_origin(kind) is Literal for value in get_args(kind)]
    return f"Use {', '.join(values)}." if values else "Give the key a value of that kind."


def _as_settings(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with the values that the program has for them; files stand beside the configuration."""
    settings = dict(table)
    if "prompts" in table or "prompts_file" in table:
        file = settings.pop("prompts_file", None)
        of_file = () if file is None else load_prompts(file if file == "-" else str(folder / file))
        settings["prompts"] = (*table.get("prompts", ()), *of_file)
    if "select" in table:
        settings["select"] = tuple(code.upper() for code in table["select"])
    if "ignore" in table:
        settings["ignore"] = {code.upper(): why for code, why in table["ignore"].items()}
    if "fail_on" in table:
        settings["fail_on"] = None if table["fail_on"] == "never" else Severity(table["fail_on"])
    return settings
