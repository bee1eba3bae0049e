"""The JSON Schema of the reports accepts what every command writes, and rejects a report with something missing."""

import json

import pytest
import report_schema
from documents import DOCUMENTS
from jsonschema import Draft202012Validator

from padcheck.core.json_io import dump

VALIDATOR = Draft202012Validator(report_schema.schema())


def test_the_schema_is_up_to_date_and_valid():
    assert report_schema.SCHEMA.read_text(encoding="utf-8") == report_schema.written(), "run: make docs"
    Draft202012Validator.check_schema(report_schema.schema())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_accepts_every_document_and_describes_each_key(name):
    document = json.loads(dump(DOCUMENTS[name]))
    VALIDATOR.validate(document)
    definitions = report_schema.schema()["$defs"]
    of_command = {"check": "Check", "survey": "Survey", "run": "Run"}.get(document["command"], "Report")
    assert document.keys() - {"schema_version", "padcheck_version"} <= definitions[of_command]["properties"].keys()


@pytest.mark.parametrize("command", [("compare", "demo"), ("inspect-tokenizer", "demo"), ("check", "demo", "./gone")])
def test_it_accepts_what_a_command_writes(command, padcheck):
    VALIDATOR.validate(padcheck(*command, "--format", "json").report)


@pytest.mark.parametrize(
    "changes", [{"status": "good"}, {"findings": [{"code": "PAD201"}]}, {"schema_version": 2}, {"prompts": None}]
)
def test_it_rejects_a_wrong_report(changes, padcheck):
    report = padcheck("inspect-tokenizer", "demo", "--format", "json").report
    assert not VALIDATOR.is_valid(report | changes)
