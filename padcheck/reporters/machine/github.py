"""A report, check or survey as annotations in a pull request, written as workflow commands of GitHub Actions.

Source: docs.github.com, "Workflow commands for GitHub Actions".
"""

from collections.abc import Iterator

from padcheck.core.run_report import AnyDocument
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.reporters.machine.subjects import Subject, subjects
from padcheck.reporters.text.view import View

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(document: AnyDocument, view: View) -> str:  # noqa: ARG001  annotations have no width
    """One line per annotation, then the outcome of each model for the log.

    The most severe annotations come first, because GitHub shows only ten of each level.
    """
    found = subjects(document)
    lines = [
        *(line for subject in found for line in _not_measured(subject)),
        *(_annotation(subject, finding, "error") for subject in found for finding in subject.failing),
        *(
            _annotation(subject, finding, _LEVELS[finding.severity])
            for subject in found
            for finding in subject.passing
            if not finding.known
        ),
        *(f"padcheck: {subject.name}: {subject.outcome}" for subject in found),
    ]
    return "".join(f"{line}\n" for line in lines)


def _not_measured(subject: Subject) -> Iterator[str]:
    if subject.not_measured is not None:
        text = "\n".join(subject.not_measured.lines)
        yield _command("error", subject, f"{subject.name}: not measured", text)


def _annotation(subject: Subject, finding: Finding, level: str) -> str:
    title = f"{subject.name}: {finding.code} {finding.name}"
    return _command(level, subject, title, f"{finding.message}\n{finding.fix}")


def _command(level: str, subject: Subject, title: str, text: str) -> str:
    properties = {"file": subject.file, "line": subject.line, "title": title}
    given = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value is not None)
    return f"::{level} {given}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
