"""A report, check or survey as SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgspec

from padcheck.core.errors import HOME
from padcheck.core.run_report import AnyDocument
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.core.version import __version__
from padcheck.judging.rule import Code, is_code
from padcheck.reporters.machine.subjects import Subject, rules_of, subjects
from padcheck.reporters.text.view import View

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render(document: AnyDocument, view: View) -> str:  # noqa: ARG001  JSON has no width
    """The document as a SARIF log with one run."""
    found = subjects(document)
    rules = rules_of(document)
    index = {rule.code: place for place, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "padcheck",
                "version": __version__,
                "informationUri": HOME,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": all(subject.not_measured is None for subject in found),
                "exitCode": int(document.exit_code),
                "toolExecutionNotifications": [_notification(each) for each in found if each.not_measured is not None],
            }
        ],
        "results": [
            _result(subject, finding, index[finding.code])
            for subject in found
            for finding in (*subject.failing, *subject.passing)
        ],
        "columnKind": "unicodeCodePoints",
        "properties": {"models": {subject.name: subject.outcome for subject in found}},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _rule(rule: Code) -> dict[str, Any]:
    (_, why_it_matters), *_ = sections = rule.sections()
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.title()},
        "fullDescription": {"text": why_it_matters},
        "help": {
            "text": "\n\n".join(f"{heading}\n{text}" for heading, text in sections),
            "markdown": "\n\n".join(f"**{heading}**\n\n{_markdown(heading, text)}" for heading, text in sections),
        },
        "helpUri": rule.url(),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _markdown(heading: str, text: str) -> str:
    return f"```python\n{text}\n```" if is_code(heading) else text


def _result(subject: Subject, finding: Finding, rule_index: int) -> dict[str, Any]:
    name = subject.name
    message = f"{name}: {finding.message}\n{finding.fix}"
    result = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": message},
        "locations": [_location(subject)],
        # Without the numbers, so that the next measurement gives the same fingerprint.
        "partialFingerprints": {"modelAndCode/v1": sha256(f"{name}\n{finding.code}".encode()).hexdigest()},
        "properties": {"evidence": finding.evidence},
    }
    if finding.known:
        result["suppressions"] = [{"kind": "external", "justification": "accepted by a baseline"}]
    return result


def _location(subject: Subject) -> dict[str, Any]:
    """The file that names the model. A model that no file names has only a logical location."""
    location: dict[str, Any] = {"logicalLocations": [{"name": subject.name, "kind": "resource"}]}
    if subject.file is not None:
        uri = f"file://{quote(subject.file)}" if subject.file.startswith("/") else quote(subject.file)
        region = {"startLine": subject.line or 1}
        location["physicalLocation"] = {"artifactLocation": {"uri": uri}, "region": region}
    return location


def _notification(subject: Subject) -> dict[str, Any]:
    lines = subject.not_measured.lines if subject.not_measured is not None else ()
    text = f"{subject.name}: " + "\n".join(lines)
    return {"level": "error", "message": {"text": text}, "locations": [_location(subject)]}
