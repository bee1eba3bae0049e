"""What every format says of a check, in the same words."""

from collections import Counter

from padcheck.report import Check, Report, Unmeasured
from padcheck.reporters.visible import visible

_STATUS = {"pass": "passed", "fail": "failed", "not_measured": "not measured", "error": "a bug in padcheck"}


def model_id(report: Report | Unmeasured) -> str:
    """Which model it is about."""
    return visible(report.evidence.model.id if isinstance(report, Report) else report.model.id)


def sums(check: Check) -> list[tuple[str, str, str]]:
    """Model, how it went, and its findings by code."""
    return [(model_id(report), _STATUS[report.status], _codes(report)) for report in check.reports]


def vanished(check: Check) -> list[str]:
    """What the baseline knows and is gone."""
    return [f"{visible(known.model)}: {visible(known.code)}" for known in check.vanished]


def conclusion(check: Check) -> str:
    """The whole check in one sentence."""
    verdict = {"pass": "PASS", "fail": "FAIL", "not_measured": "NOT ALL MEASURED", "error": "A BUG IN PADCHECK"}
    counted = Counter(_STATUS[report.status] for report in check.reports)
    how = ", ".join(f"{count} {status}" for status in _STATUS.values() if (count := counted[status]))
    number = len(check.reports)
    return f"{verdict[check.status]}: {number} model{'s' if number > 1 else ''}, {how}"


def _codes(report: Report | Unmeasured) -> str:
    if isinstance(report, Unmeasured):
        return ""
    return " ".join(f"({finding.code})" if finding.known else finding.code for finding in report.findings)
