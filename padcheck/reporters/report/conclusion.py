"""A report in one sentence, and which of its findings somebody has to do something about."""

from padcheck.core.report import Finding, Report, Unmeasured, Verdict
from padcheck.core.severity import Severity
from padcheck.core.use_case import UseCase
from padcheck.reporters.text.visible import visible


def conclusion(report: Report | Unmeasured) -> str:
    """The whole report in one sentence."""
    if isinstance(report, Unmeasured):
        return f"{'A BUG IN PADCHECK' if report.status == 'error' else 'NOT MEASURED'}: {visible(report.error.what)}"
    worst = [f"{count} {name}" for name, count in _counts(report) if count]
    findings = f" ({', '.join(worst)})" if worst else ""
    if report.status == "not_measured":
        return "NOT MEASURED: no verdict on padding" + findings
    if report.command == "inspect-tokenizer":
        return _verdict(report) + (findings or ": nothing to report")
    said = _in_words(report)
    right, left = report.comparisons["right"].verdict, report.comparisons["left"].verdict
    if report.judgement.use == UseCase() and right in (Verdict.DIFFERENT, Verdict.NON_FINITE) and left.within_rounding:
        said += ", right padding does" if said.startswith("left padding changes nothing") else ", as does right padding"
    return f"{_verdict(report)}: {said}{findings}"


def _verdict(report: Report) -> str:
    """The word for what was found, also if --fail-on asks for another exit code than that would have."""
    fail_on = report.judgement.fail_on
    errors = any(finding.severity is Severity.ERROR and not finding.known for finding in report.findings)
    if report.status == "pass":
        return "FAULT FOUND, passed by --fail-on never" if errors and fail_on is None else "PASS"
    return "FAIL" if errors or fail_on is None else f"FAIL by --fail-on {fail_on.value}"


_PADDING = {
    "left": "left padding",
    "right": "right padding",
    "left_forward_positions": "left padding for scoring and training, with position_ids,",
    "right_forward": "right padding for scoring and training",
}
"""What the arm that answers for a use is about."""


def _in_words(report: Report) -> str:
    padding, verdict = _PADDING[report.judgement.use.run], report.comparisons[report.judgement.use.run].verdict
    elsewhere = {name for name, found in report.comparisons.items() if found.verdict is Verdict.DIFFERENT}
    if report.judgement.use.run == "left" and verdict.within_rounding and "left_float32" in elsewhere:
        dtype = visible(str(report.evidence.model.dtype))
        return f"left padding changes what the model says in float32, which rounding hides in {dtype}"
    if report.judgement.use.run == "left" and verdict.within_rounding and "left_alone" in elsewhere:
        return "left padding changes what the model says in a batch of one"
    test = report.precision_test
    if report.judgement.use.run == "left" and verdict.within_rounding and test is not None and test.shows_fault:
        return f"left padding adds to the errors of {visible(str(report.evidence.model.dtype))}"
    return {
        Verdict.IDENTICAL: f"{padding} changes nothing",
        Verdict.EQUIVALENT: f"{padding} changes nothing beyond rounding",
        Verdict.DIFFERENT: f"{padding} changes what the model says",
        Verdict.NON_FINITE: f"{padding} gives NaN or infinity",
        Verdict.NOT_RUN: f"the {padding.split()[0]}-padded batch did not run",
    }[verdict]


def sorted_out(report: Report) -> tuple[list[Finding], list[str]]:
    """The findings to do something about, and the others by name: what is known, or only worth knowing."""
    others = [finding for finding in report.findings if finding.known or finding.severity is Severity.INFO]
    named = [f"{each.code} {each.name} ({'known' if each.known else each.severity.value})" for each in others]
    return [finding for finding in report.findings if finding not in others], named


def _counts(report: Report) -> list[tuple[str, int]]:
    names = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "info"}
    counted = []
    for severity, name in names.items():
        count = sum(finding.severity is severity and not finding.known for finding in report.findings)
        counted.append((name + ("s" if count > 1 and severity is not Severity.INFO else ""), count))
    return [*counted, ("known", sum(finding.known for finding in report.findings))]
