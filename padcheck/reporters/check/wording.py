"""What every format says about a check, in the same words: plain strings without layout."""

from collections import Counter

from padcheck.core.facts import PaddingSide
from padcheck.core.report import Check, Report, Unmeasured
from padcheck.reporters.report.wording.verdicts import in_words

SUMMARY_HEADINGS = ("model", "verdict", "findings")

ATTENTION_TITLE = "By attention implementation"
ATTENTION_HEADINGS = ("attention", "dtype", "left", "right")

VANISHED_TITLE = "In the baseline, but no longer found"

_STATUS = {"pass": "passed", "fail": "failed", "not_measured": "not measured", "error": "a bug in padcheck"}


def title(check: Check) -> str:
    """The command that was run."""
    return f"padcheck {'compare' if check.is_by_attention else 'check'}"


def names(check: Check) -> list[str]:
    """The name of each report's model."""
    return list(check.names)


def summary(check: Check) -> list[tuple[str, str, str]]:
    """Model, outcome, and the codes of its findings."""
    return [
        (name, _STATUS[report.status], _codes(report)) for name, report in zip(names(check), check.reports, strict=True)
    ]


def by_attention(check: Check) -> list[tuple[str, str, str, str]]:
    """Attention implementation, dtype, and what padding on each side did; empty if only one implementation ran."""
    if not check.is_by_attention:
        return []
    return [
        (str(model.attn_implementation), str(model.dtype), _side(report, "left"), _side(report, "right"))
        for report in check.reports
        if isinstance(report, Report)
        for model in (report.evidence.model,)
    ]


def _side(report: Report, side: PaddingSide) -> str:
    comparison = report.comparisons.get(side)
    if not report.judgement.use.pads(side):
        return "not judged"
    if comparison is None:
        return "not run"
    if comparison.max_abs_diff is None or comparison.allowed is None:
        return in_words(comparison.verdict)
    return f"{in_words(comparison.verdict)}, {comparison.max_abs_diff:.2g} (rounding: up to {comparison.allowed:.2g})"


def vanished(check: Check) -> list[str]:
    """Model and code of each finding that the baseline accepts and that is no longer found."""
    return [f"{known.model}: {known.code}" for known in check.vanished]


def conclusion(check: Check) -> str:
    """The whole check in one sentence."""
    verdict = {"pass": "PASS", "fail": "FAIL", "not_measured": "NOT ALL MEASURED", "error": "A BUG IN PADCHECK"}
    counted = Counter(_STATUS[report.status] for report in check.reports)
    how = ", ".join(f"{count} {status}" for status in _STATUS.values() if (count := counted[status]))
    number = len(check.reports)
    what = "attention implementation" if check.is_by_attention else "model"
    return f"{verdict[check.status]}: {number} {what}{'s' if number > 1 else ''}, {how}"


def _codes(report: Report | Unmeasured) -> str:
    if isinstance(report, Unmeasured):
        return ""
    return " ".join(f"({finding.code})" if finding.known else finding.code for finding in report.findings)
