"""The findings that need action, the others by name, the advice, and the rules that could not be decided."""

from collections.abc import Iterable

from padcheck.core.report import Report
from padcheck.core.severity import Severity
from padcheck.core.use_case import Task
from padcheck.core.verdicts import Finding, Skipped

_JUDGED: dict[Task | None, str] = {"generate": "generating", "score": "scoring", "train": "training"}
"""The advice that belongs to a task."""


def sort_out(report: Report) -> tuple[list[Finding], list[str]]:
    """The findings that need action, and the names of the others: infos, and what a baseline accepts."""
    found = causes_first(report.findings)
    others = [finding for finding in found if finding.known or finding.severity is Severity.INFO]
    return [finding for finding in found if finding not in others], [name(each) for each in others]


def causes_first(found: Iterable[Finding]) -> list[Finding]:
    """Of equal severity, a cause (PAD3nn) stands before what it causes, because it has the line to change."""
    return sorted(found, key=lambda finding: (-finding.severity.rank, not finding.code.startswith("PAD3")))


def name(finding: Finding) -> str:
    """Code, name and severity, such as `PAD203 attention-mask-required (info)`."""
    return f"{finding.code} {finding.name} ({'known' if finding.known else finding.severity.value})"


def label(finding: Finding) -> str:
    """The severity, and whether a baseline accepts it."""
    return f"{finding.severity.value}{', known' if finding.known else ''}"


def counts(report: Report) -> str:
    """How many findings there are of each severity, such as `1 error, 2 warnings`; empty without findings."""
    new = [finding.severity for finding in report.findings if not finding.known]
    errors, warnings, infos = map(new.count, (Severity.ERROR, Severity.WARNING, Severity.INFO))
    counted = {
        "errors" if errors > 1 else "error": errors,
        "warnings" if warnings > 1 else "warning": warnings,
        "info": infos,
        "known": len(report.findings) - len(new),
    }
    return ", ".join(f"{count} {name}" for name, count in counted.items() if count)


def sharing_a_fix(found: Iterable[Finding]) -> list[list[Finding]]:
    """The findings, those with the same fix together."""
    by_fix: dict[str, list[Finding]] = {}
    for finding in found:
        by_fix.setdefault(finding.fix, []).append(finding)
    return list(by_fix.values())


def advice(report: Report) -> list[tuple[str, str]]:
    """The task, and the line to paste; only for the task that is judged."""
    judged = _JUDGED.get(report.judgement.task)
    return [(advice.task, advice.line) for advice in report.advice if judged in (None, advice.task)]


def undecided_rules(report: Report) -> list[Skipped]:
    """The rules that gave no answer although they were asked."""
    return [skipped for skipped in report.skipped if skipped.kind != "not_asked"]
