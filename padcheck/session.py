"""A report or a survey to JSON and back: `schema_version` 1.

A report's document is flat: the evidence's keys stand beside the verdict's, since that is how callers read it.
"""

from pathlib import Path
from typing import Any

import msgspec

from padcheck import __version__
from padcheck.errors import UsageError
from padcheck.evidence import Evidence
from padcheck.report import Report, Survey

SCHEMA_VERSION = 1


def dump(report: Report | Survey) -> str:
    """The report as a JSON document, keys in the order of the contract. NaN and infinity become null."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "padcheck_version": __version__}
    document |= msgspec.to_builtins(report) if isinstance(report, Survey) else _flat(report)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _flat(report: Report) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(report)
    evidence = fields.pop("evidence")
    samples = evidence.pop("samples")
    evidence["samples"] = {side: sample["rows"] for side, sample in samples.items()}
    evidence["sample_errors"] = {side: sample["error"] for side, sample in samples.items() if sample["error"]}
    verdict = {key: fields.pop(key) for key in ("command", "status", "exit_code")}
    document: dict[str, Any] = verdict | evidence | fields
    return document


def load(path: Path) -> Report | Survey:
    """Reads a report or a survey that `dump` wrote.

    Raises:
        UsageError: The file cannot be read, is not JSON, is of another schema version, or lacks something.
    """
    change = "Give the file that padcheck wrote with --format json --output FILE."
    try:
        document = msgspec.json.decode(path.read_bytes())
        if not isinstance(document, dict) or "schema_version" not in document:
            raise UsageError(f"{path} is not a padcheck report: it has no schema_version.", change=change)
        if document["schema_version"] != SCHEMA_VERSION:
            raise UsageError(
                f"{path} has schema_version {document['schema_version']}; this padcheck reads {SCHEMA_VERSION}.",
                meaning="It was written by another version of padcheck.",
                change="Run the command again, or use that version to read it.",
            )
        if document.get("command") == "survey":
            return msgspec.convert(document, Survey)
        return msgspec.convert({**document, "evidence": msgspec.convert(_with_samples(document), Evidence)}, Report)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", change=change) from error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not a padcheck report: {error}.", change=change) from error


def _with_samples(document: dict[str, Any]) -> dict[str, Any]:
    """The document with each side's rows and error put together again: callers read `samples` as rows alone."""
    samples, errors = document.get("samples"), document.get("sample_errors", {})
    if not isinstance(samples, dict) or not isinstance(errors, dict):
        return document  # its conversion says what is wrong with it
    return document | {"samples": {side: {"rows": rows, "error": errors.get(side)} for side, rows in samples.items()}}
