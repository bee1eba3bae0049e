"""The JSON Schema of `--format json`: `make docs` writes it from the types of the documents, a test compares it."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec

from padcheck.core.evidence import Evidence
from padcheck.core.json_io import SCHEMA_VERSION, _WrittenCheck
from padcheck.core.report import Report, Survey, Unmeasured
from padcheck.core.run_report import Run

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"

_REF = "#/$defs/{name}"
_DOCUMENTS = ("Report", "Check", "Survey", "Run")


def schema() -> dict[str, Any]:
    """The schema of each document. Evidence is at the top level of a report, as `padcheck.core.json_io` writes it."""
    types = (Report, Evidence, Unmeasured, _WrittenCheck, Survey, Run)
    _, found = msgspec.json.schema_components(
        types, schema_hook=lambda _type: {"description": "Any value."}, ref_template=_REF
    )
    for definition in found.values():
        definition["description"] = inspect.cleandoc(definition.get("description", ""))
    found["Report"] = _report(found["Report"], found.pop("Evidence"), found.pop("Sample"))
    found["Check"] = _check(found.pop("_WrittenCheck"))
    for definition in found.values():
        _describe(definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://github.com/padcheck/padcheck/raw/main/docs/report.schema.json",
        "title": "padcheck --format json",
        "type": "object",
        "required": ["schema_version", "padcheck_version"],
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, "padcheck_version": {"type": "string"}},
        "oneOf": [{"$ref": _REF.format(name=name)} for name in _DOCUMENTS],
        "$defs": dict(sorted(found.items())),
    }


def written() -> str:
    """The content of the schema file."""
    return json.dumps(schema(), indent=2) + "\n"


def _report(report: dict[str, Any], evidence: dict[str, Any], sample: dict[str, Any]) -> dict[str, Any]:
    properties = report["properties"] | evidence["properties"]
    del properties["evidence"]
    properties["samples"] = {"type": "object", "additionalProperties": sample["properties"]["rows"]}
    properties["sample_errors"] = {"type": "object", "additionalProperties": {"type": "string"}}
    required = [key for key in (*report["required"], *evidence["required"]) if key != "evidence"]
    text = "\n\n".join(each["description"] for each in (report, evidence))
    return report | {"description": text, "properties": properties, "required": required}


def _check(check: dict[str, Any]) -> dict[str, Any]:
    references = [{"$ref": _REF.format(name=name)} for name in ("Report", "Unmeasured")]
    properties = {"command": {"const": "check"}} | check["properties"]
    properties["reports"]["items"] = {"oneOf": references}
    text = "Several models, each measured and judged by its own settings."
    return check | {"title": "Check", "description": text, "properties": properties}


def _describe(definition: dict[str, Any]) -> None:
    """Moves the lines below `Attributes:` of a docstring to the properties that they describe."""
    definition["description"], _, attributes = definition["description"].partition("\n\nAttributes:\n")
    for name, described in re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", attributes, re.MULTILINE):
        if name in definition.get("properties", {}):
            definition["properties"][name]["description"] = " ".join(described.split())


if __name__ == "__main__":
    SCHEMA.write_text(written(), encoding="utf-8")
