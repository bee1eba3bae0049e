"""A report in one sentence."""

from padcheck.core.report import Report, Unmeasured
from padcheck.core.run_plans import MODES, RunName
from padcheck.core.severity import Severity
from padcheck.core.use_case import HEADS
from padcheck.core.verdicts import Verdict
from padcheck.reporters.report.wording import task
from padcheck.reporters.report.wording.findings import counts
from padcheck.reporters.report.wording.runs import deciding_run, is_expected
from padcheck.reporters.report.wording.verdicts import flips
from padcheck.reporters.text.visible import visible

_PADDING: dict[RunName, str] = {
    "left": "left padding",
    "right": "right padding",
    "left_forward_positions": "left padding for scoring and training, with position_ids,",
    "right_forward": "right padding for scoring and training",
}
"""What the verdict is about, by the run that decides."""


def conclusion(report: Report | Unmeasured) -> str:
    """The whole report in one sentence."""
    if isinstance(report, Unmeasured):
        return f"{'A BUG IN PADCHECK' if report.status == 'error' else 'NOT MEASURED'}: {visible(report.error.what)}"
    findings = f" ({counted})" if (counted := counts(report)) else ""
    if report.status == "not_measured":
        return "NOT MEASURED: no verdict on padding" + findings
    if report.command == "inspect-tokenizer":
        return _pass_or_fail(report) + (findings or ": nothing to report")
    if report.judgement.task in HEADS or _is_about_the_task(report):
        return f"{_pass_or_fail(report)}: {task.conclusion(report)}{findings}"
    return f"{_pass_or_fail(report)}: {_in_words(report)}{_right_too(report)}{_in_modes(report)}{findings}"


def _is_about_the_task(report: Report) -> bool:
    """True if a task besides the usual runs decides. A training that passes is about the side to train on."""
    asked = report.judgement.task
    return asked in ("score", "train") and task.decides(report) and (asked == "score" or report.status != "pass")


def _pass_or_fail(report: Report) -> str:
    """Names an error even if --fail-on changes the exit code."""
    fail_on = report.judgement.fail_on
    errors = any(finding.severity is Severity.ERROR and not finding.known for finding in report.findings)
    if report.status == "pass":
        return "FAULT FOUND, passed by --fail-on never" if errors and fail_on is None else "PASS"
    return "FAIL" if errors or fail_on is None else f"FAIL by --fail-on {fail_on.value}"


def _in_words(report: Report) -> str:
    run = deciding_run(report)
    padding, verdict = _PADDING[run], report.comparisons[run].verdict
    if run == "left" and verdict.within_rounding and (hidden := _hidden_fault(report)):
        return hidden
    return {
        Verdict.IDENTICAL: f"{padding} changes nothing",
        Verdict.EQUIVALENT: f"{padding} changes nothing beyond {_rounding(report, run)}",
        Verdict.DIFFERENT: f"{padding} changes what the model says",
        Verdict.NON_FINITE: f"{padding} gives NaN or infinity",
        Verdict.NOT_RUN: f"the {padding.split()[0]}-padded batch did not run",
    }[verdict]


def _hidden_fault(report: Report) -> str:
    """A fault of left padding that the left-padded run itself does not show; empty if it has no such fault."""
    dtype, test = str(report.evidence.model.dtype), report.precision_test
    if _differs(report, "left_float32"):
        return f"left padding changes what the model says in float32, which rounding hides in {dtype}"
    if _differs(report, "left_alone"):
        return "left padding changes what the model says in a batch of one"
    return f"left padding adds to the errors of {dtype}" if test is not None and test.shows_fault else ""


def _rounding(report: Report, run: RunName) -> str:
    """Rounding may still change texts, which a reader would otherwise take for a fault."""
    flipped = flips(report, run)
    return f"{report.evidence.model.dtype} rounding; {flipped}" if flipped else "rounding"


def _right_too(report: Report) -> str:
    """What right padding does, if left padding decides and the caller did not say which side counts."""
    any_use = report.judgement.task is None and report.judgement.padding_side is None
    right, left = report.comparisons["right"].verdict, report.comparisons["left"].verdict
    if not (any_use and left.within_rounding and right in (Verdict.DIFFERENT, Verdict.NON_FINITE)):
        return ""
    if not is_expected(report, "right"):
        return "; right-padded generate() gives NaN or infinity"
    return "; right-padded generate() differs, as expected"


def _in_modes(report: Report) -> str:
    """The modes in which a prompt alone, or only the left-padded batch, differs or gives NaN."""
    alone = [name for name in report.evidence.modes if _is_off(report, MODES[name].alone)]
    left = [name for name in report.evidence.modes if _is_off(report, MODES[name].left) and name not in alone]
    said = f"; {', '.join(alone)} changes a prompt alone" if alone else ""
    return said + (f"; with {', '.join(left)} left padding changes what it says" if left else "")


def _is_off(report: Report, run: RunName) -> bool:
    compared = report.comparisons.get(run)
    return compared is not None and compared.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE)


def _differs(report: Report, run: RunName) -> bool:
    return run in report.comparisons and report.comparisons[run].verdict is Verdict.DIFFERENT
