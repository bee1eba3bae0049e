"""What every format says about a check, in the same words: plain strings without layout."""

from collections import Counter
from typing import get_args

from padcheck.core.facts import PaddingSide
from padcheck.core.report import Check, Report, Unmeasured
from padcheck.core.run_plans import SINGLE
from padcheck.core.verdicts import Comparison
from padcheck.reporters.report.wording.verdicts import in_words

SUMMARY_HEADINGS = ("model", "verdict", "findings")

SIDE_BY_SIDE_TITLE = "Side by side"
SIDE_BY_SIDE_HEADINGS = ("run", "dtype", "attention", "left", "right", "rounding", "prompts alone")

VANISHED_TITLE = "In the baseline, but no longer found"

_STATUS = {"pass": "passed", "fail": "failed", "not_measured": "not measured", "error": "a bug in padcheck"}


def title(check: Check) -> str:
    """The command that was run."""
    return f"padcheck {'compare' if check.side_by_side else 'check'}"


def names(check: Check) -> list[str]:
    """The name of each report's model."""
    return list(check.names)


def summary(check: Check) -> list[tuple[str, str, str]]:
    """Model, outcome, and the codes of its findings."""
    return [
        (name, _STATUS[report.status], _codes(report)) for name, report in zip(names(check), check.reports, strict=True)
    ]


def side_by_side(check: Check) -> list[tuple[str, ...]]:
    """A row per run of one model: both sides, and whether the prompts alone give the texts of the first run."""
    rows: list[tuple[str, ...]] = []
    for way, report in zip(check.side_by_side, check.reports if check.side_by_side else (), strict=True):
        if isinstance(report, Unmeasured):
            rows.append((way, "", "", "not measured", "not measured", "", ""))
            continue
        model = report.evidence.model
        ran = str(model.dtype), str(model.attn_implementation)
        sides = _side(report, "left"), _side(report, "right"), _rounding(report)
        rows.append((way, *ran, *sides, _alone(report, check.reports[0])))
    return rows


def _alone(report: Report, first: Report | Unmeasured) -> str:
    """How many prompts alone give another text than in the first run."""
    if report is first:
        return "first run"
    texts, expected = _texts_alone(report), _texts_alone(first)
    if not texts or len(texts) != len(expected):
        return "not compared"
    unlike = sum(text != other for text, other in zip(texts, expected, strict=True))
    return f"{unlike} of {len(texts)} texts differ" if unlike else "same texts"


def _texts_alone(report: Report | Unmeasured) -> list[str]:
    run = report.evidence.runs.get(SINGLE) if isinstance(report, Report) else None
    return [row.generated_text for row in run.rows] if run is not None else []


def _side(report: Report, side: PaddingSide) -> str:
    comparison = _comparison(report, side)
    if not report.judgement.use.pads(side):
        return "not judged"
    if comparison is None:
        return "not run"
    size = "" if comparison.max_abs_diff is None else f" {comparison.max_abs_diff:.2g}"
    return f"{in_words(comparison.verdict)}{size}"


def _rounding(report: Report) -> str:
    """The largest difference that rounding explains on any judged side."""
    comparisons = [_comparison(report, side) for side in get_args(PaddingSide) if report.judgement.use.pads(side)]
    allowed = [each.allowed for each in comparisons if each is not None and each.allowed is not None]
    return f"{max(allowed):.2g}" if allowed else ""


def _comparison(report: Report, side: PaddingSide) -> Comparison | None:
    return report.comparisons.get(side) or report.task_comparisons.get(side)


def vanished(check: Check) -> list[str]:
    """Model and code of each finding that the baseline accepts and that is no longer found."""
    return [f"{known.model}: {known.code}" for known in check.vanished]


def conclusion(check: Check) -> str:
    """The whole check in one sentence."""
    verdict = {"pass": "PASS", "fail": "FAIL", "not_measured": "NOT ALL MEASURED", "error": "A BUG IN PADCHECK"}
    counted = Counter(_STATUS[report.status] for report in check.reports)
    how = ", ".join(f"{count} {status}" for status in _STATUS.values() if (count := counted[status]))
    number = len(check.reports)
    what = "run" if check.side_by_side else "model"
    return f"{verdict[check.status]}: {number} {what}{'s' if number > 1 else ''}, {how}"


def _codes(report: Report | Unmeasured) -> str:
    if isinstance(report, Unmeasured):
        return ""
    return " ".join(f"({finding.code})" if finding.known else finding.code for finding in report.findings)
