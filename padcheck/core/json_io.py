"""Writes a report, a check, a survey or a watched program as JSON and reads it again: `schema_version` 1.

A report is written flat: the keys of its evidence are on the same level as its status and findings.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec

from padcheck.core.consistency import require_consistent
from padcheck.core.errors import UsageError
from padcheck.core.evidence import Evidence
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import Check, ConfigurationFile, KnownFinding, Report, Status, Survey, Unmeasured
from padcheck.core.run_report import AnyDocument, Run
from padcheck.core.version import __version__

SCHEMA_VERSION = 1


def dump(document: AnyDocument, *, indented: bool = False) -> str:
    """The document as JSON, with its keys in a fixed order. NaN and infinity become null.

    Args:
        document: The document.
        indented: Whether each value has its own line, which more than doubles the size.
    """
    written: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "padcheck_version": __version__}
    written |= _flat(document)
    try:
        text = msgspec.json.encode(written)
    except UnicodeEncodeError:
        text = msgspec.json.encode(_in_unicode(written))
    return _printable((msgspec.json.format(text, indent=2) if indented else text).decode()) + "\n"


def _in_unicode(value: Any) -> Any:
    """The same value with escapes for surrogates, as which Python keeps the bytes of a file name that is not UTF-8."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_in_unicode(key): _in_unicode(each) for key, each in value.items()}
    return [_in_unicode(each) for each in value] if isinstance(value, (list, tuple)) else value


def _printable(text: str) -> str:
    """The same JSON, with escapes for the characters that act on a terminal or are invisible."""
    escapes = {each: json.dumps(each)[1:-1] for each in set(text) if not each.isprintable() and each != "\n"}
    return re.sub(f"[{''.join(escapes)}]", lambda found: escapes[found[0]], text) if escapes else text


def _flat(document: AnyDocument | Unmeasured) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(document)
    if isinstance(document, Check):
        return fields | {"reports": [_flat(report) for report in document.reports]}
    if not isinstance(document, Report):
        return fields
    evidence = fields.pop("evidence")
    samples = evidence.pop("samples")
    evidence["samples"] = {side: sample["rows"] for side, sample in samples.items()}
    evidence["sample_errors"] = {side: sample["error"] for side, sample in samples.items() if sample["error"]}
    verdict = {key: fields.pop(key) for key in ("command", "status", "exit_code")}
    return {**verdict, **evidence, **fields}


def load(path: Path) -> AnyDocument:
    """Reads a document that `dump` wrote.

    Raises:
        UsageError: The file cannot be read, is not JSON, has another schema version, or lacks a key, or its
            parts do not belong together.
    """
    change = "Give the file that padcheck wrote with --format json --output FILE."
    try:
        written = msgspec.json.decode(path.read_bytes())
        if not isinstance(written, dict) or "schema_version" not in written:
            raise UsageError(f"{path} is not a padcheck report: it has no schema_version.", change=change)
        if written["schema_version"] != SCHEMA_VERSION:
            raise UsageError(
                f"{path} has schema_version {written['schema_version']}; this padcheck reads {SCHEMA_VERSION}.",
                meaning="It was written by another version of padcheck.",
                change="Run the command again, or read the file with that version.",
            )
        return _document(written)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", change=change) from error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not a padcheck report: {error}.", change=change) from error


def _document(written: dict[str, Any]) -> AnyDocument:
    document = _converted(written)
    require_consistent(document)
    return document


def _converted(written: dict[str, Any]) -> AnyDocument:
    if written.get("command") == "survey":
        return msgspec.convert(written, Survey)
    if written.get("command") == "run":
        return msgspec.convert(written, Run)
    if written.get("command") != "check":
        return _report(written)
    check = msgspec.convert(written, _WrittenCheck)
    reports = tuple(msgspec.convert(each, Unmeasured) if "error" in each else _report(each) for each in check.reports)
    return Check(**msgspec.structs.asdict(check) | {"reports": reports})


class _WrittenCheck(msgspec.Struct):
    """A check whose reports are still plain JSON: msgspec cannot tell a `Report` from an `Unmeasured`."""

    status: Status
    exit_code: ExitCode
    reports: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(min_length=1)]
    configuration: ConfigurationFile | None = None
    vanished: tuple[KnownFinding, ...] = ()
    ways: tuple[str, ...] = ()


def _report(written: dict[str, Any]) -> Report:
    return msgspec.convert({**written, "evidence": msgspec.convert(_with_samples(written), Evidence)}, Report)


def _with_samples(written: dict[str, Any]) -> dict[str, Any]:
    """The JSON with one `Sample` per side. `dump` keeps the errors apart, so that `samples` holds only rows."""
    samples, errors = written.get("samples"), written.get("sample_errors", {})
    if not isinstance(samples, dict) or not isinstance(errors, dict):
        return written  # the conversion to Evidence reports the error
    return written | {"samples": {side: {"rows": rows, "error": errors.get(side)} for side, rows in samples.items()}}
