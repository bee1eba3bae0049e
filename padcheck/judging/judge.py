"""Evidence to report: compares each arm under a tolerance, asks every rule, and settles status and exit code."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from padcheck.core.errors import UsageError
from padcheck.core.evidence import Evidence, RowDifference
from padcheck.core.exit_codes import ExitCode
from padcheck.core.noise_floor import NoiseFloor, noise_floor, tolerance_of
from padcheck.core.precision import precision_test
from padcheck.core.report import STATUS, Command, Comparison, Finding, Report, RowComparison, Skipped, Verdict
from padcheck.core.run_plans import SINGLE
from padcheck.core.settings import JudgeSettings
from padcheck.core.tolerances import Tolerance, share_of_allowance
from padcheck.core.use_case import UseCase
from padcheck.judging.advice import advise
from padcheck.judging.library_behaviour import library_behaviour
from padcheck.judging.rules import RULES, Case, Rule

_BATCH = "PAD206"
"""What tells that rows depend on their batch."""

_ANY_USE = UseCase()


def judge(command: Command, evidence: Evidence, settings: JudgeSettings) -> Report:
    """The report on some evidence.

    Raises:
        UsageError: `select` or `ignore` names no rule.
    """
    require_known_codes(settings)
    case, floor = open_case(evidence, settings.atol, settings.rtol, settings.use)
    comparisons = case.comparisons
    findings, skipped = _ask_rules(case, settings)
    exit_code = _exit_code(command, case, findings, settings)
    return Report(
        command=command,
        status=STATUS[exit_code],
        exit_code=exit_code,
        judgement=settings,
        evidence=evidence,
        comparisons=comparisons,
        noise_floor=floor if comparisons else None,
        precision_test=case.precision,
        findings=tuple(findings),
        advice=advise(case),
        library_behaviour=library_behaviour(evidence),
        skipped=tuple(skipped),
    )


def rejudge(report: Report, changes: Mapping[str, Any]) -> Report:
    """The same evidence and times, judged as before except for these fields of `JudgeSettings`.

    Raises:
        UsageError: `select` or `ignore` names no rule.
    """
    again = judge(report.command, report.evidence, dataclasses.replace(report.judgement, **changes))
    return replace(again, seconds=report.seconds)


def open_case(
    evidence: Evidence, atol: float | None = None, rtol: float | None = None, use: UseCase = _ANY_USE
) -> tuple[Case, NoiseFloor]:
    """What the rules look at: every arm compared under the tolerance in force, and the floor that it comes from."""
    in_float32 = {name for name, arm in evidence.runs.items() if arm.dtype is not None}
    own_dtype = {name: found for name, found in evidence.differences.items() if name not in in_float32}
    floor = noise_floor(
        evidence.model.dtype, evidence.model.num_layers, evidence.noise, own_dtype, atol=atol, rtol=rtol
    )
    tolerances = {name: tolerance_of(floor, arm) for name, arm in evidence.runs.items()}
    comparisons = {
        name: _compare_arm(evidence, name, tolerances[name])
        for name, arm in evidence.runs.items()
        if arm.reference is not None
    }
    # What the user allows instead of rounding leaves nothing for a test of rounding to say.
    precision = None if floor.method == "given" else precision_test(evidence.precision)
    return Case(evidence, comparisons, tolerances, use, precision), floor


def _compare_arm(evidence: Evidence, name: str, tolerance: Tolerance) -> Comparison:
    """The verdict on one arm: that of its worst row."""
    error = evidence.runs[name].error
    rows = tuple(_compare_row(difference, tolerance) for difference in evidence.differences.get(name, ()))
    reference = evidence.runs[name].reference or SINGLE
    if not rows or error is not None:
        reason = error or f"there is no {reference} arm to compare with"
        return Comparison(reference=reference, verdict=Verdict.NOT_RUN, reason=reason, rows=rows)
    worst = max(rows, key=lambda row: (row.verdict.rank, share_of_allowance(row.max_abs_diff, row.allowed)))
    several = len(rows) > 1 and worst.verdict is not Verdict.IDENTICAL
    flips = [row.first_different_token for row in rows if row.first_different_token is not None]
    return Comparison(
        reference=reference,
        verdict=worst.verdict,
        max_abs_diff=worst.max_abs_diff,
        max_kl=max((row.max_kl for row in rows if row.max_kl is not None), default=None),
        allowed=worst.allowed,
        first_different_token=min(flips, default=None),
        reason=f"prompt {worst.prompt_index}: {worst.reason}" if several else worst.reason,
        rows=rows,
    )


def _compare_row(difference: RowDifference, tolerance: Tolerance) -> RowComparison:
    """Each step has its own logits, so its own allowance; the one that uses up most of it speaks for the row."""
    allowances = [tolerance.allowed(step.logit_scale) for step in difference.steps]
    used = [
        share_of_allowance(step.max_abs_diff, allowed)
        for step, allowed in zip(difference.steps, allowances, strict=True)
    ]
    worst = max(range(len(used)), key=lambda step: (difference.steps[step].max_abs_diff is None, used[step]))
    step, allowed = difference.steps[worst], allowances[worst]
    flip = difference.flip
    far = "" if step.max_abs_diff is None else f"logits differ by {step.max_abs_diff:.2g} at token {worst}"
    if step.max_abs_diff is None:
        verdict, reason = Verdict.NON_FINITE, f"NaN or infinity at token {worst}"
    elif used[worst] > 1:
        verdict, reason = Verdict.DIFFERENT, f"{far}, {allowed:.2g} allowed"
    elif flip is not None:
        verdict, reason = Verdict.EQUIVALENT, f"{far}, {allowed:.2g} allowed: a near tie"
    elif step.max_abs_diff > 0:
        verdict, reason = Verdict.EQUIVALENT, f"{far}, {allowed:.2g} allowed"
    else:
        verdict, reason = Verdict.IDENTICAL, "same logits to the last bit"
    return RowComparison(
        prompt_index=difference.prompt_index,
        num_pad_tokens=difference.num_pad_tokens,
        verdict=verdict,
        max_abs_diff=step.max_abs_diff,
        max_kl=max((s.kl for s in difference.steps if s.kl is not None), default=None),
        allowed=allowed,
        step=worst,
        first_different_token=None if flip is None else flip.step,
        flip=flip,
        reason=reason,
    )


def _ask_rules(case: Case, settings: JudgeSettings) -> tuple[list[Finding], list[Skipped]]:
    outcomes = {rule: _ask(rule, case, settings) for rule in RULES}
    found = {rule: outcome for rule, outcome in outcomes.items() if isinstance(outcome, Finding)}
    skipped = [outcome for outcome in outcomes.values() if isinstance(outcome, Skipped)]
    for rule in list(found):
        # One fault, one story: the finding that says more silences the one that would only repeat it.
        teller = next((finding.code for finding in found.values() if _tells(finding, rule)), None)
        if teller is not None:
            del found[rule]
            skipped.append(rule.skip(f"{teller} tells it"))
    findings = [
        replace(finding, known=settings.knows(finding.code, finding.severity))
        for finding in sorted(found.values(), key=lambda finding: (-finding.severity.rank, finding.code))
    ]
    return findings, sorted(skipped, key=lambda outcome: outcome.code)


def _ask(rule: Rule, case: Case, settings: JudgeSettings) -> Finding | Skipped | None:
    left_out = settings.left_out(rule.code)
    if left_out is not None:
        return rule.skip(left_out)
    if not rule.concerns(case.use):
        return rule.skip(f"says nothing about {case.use}")
    if _BATCH in rule.told_by and case.undecidable() is not None:
        return rule.skip("rows depend on their batch by construction")
    return rule.judge(case)


def _tells(finding: Finding, rule: Rule) -> bool:
    return finding.code in rule.told_by and finding.severity.rank >= rule.severity.rank


def _exit_code(command: Command, case: Case, findings: list[Finding], settings: JudgeSettings) -> ExitCode:
    """Nothing measured is never a pass, whatever --fail-on says."""
    reference = case.evidence.runs.get(SINGLE)
    # What raises without any padding says nothing about padding, and what could not be seen neither.
    silent = {"PAD903"} | ({"PAD902"} if reference is not None and reference.error is not None else set())
    if case.undecidable() is not None:
        silent.add(_BATCH)
    telling = [finding for finding in findings if finding.code not in silent and not finding.known]
    failing = any(settings.fails(finding.severity) for finding in telling)
    if command == "compare":
        padded = any(row.num_pad_tokens for comparison in case.comparisons.values() for row in comparison.rows)
        compared = case.ran(case.use.run)
        if (compared and not padded) or not (compared or failing):
            return ExitCode.NOT_MEASURED
        unseen = case.control_was_seen() is False and not case.harmed()
        if not failing and (unseen or case.undecidable() is not None):
            return ExitCode.NOT_MEASURED
    return ExitCode.FINDINGS if failing else ExitCode.OK


def require_known_codes(settings: JudgeSettings) -> None:
    """Finds a code that does not exist before anything is run.

    Raises:
        UsageError: `select` or `ignore` names no rule.
    """
    for option, prefixes in (("--select", settings.select), ("--ignore", settings.ignore)):
        for prefix in prefixes:
            if not prefix or not any(rule.code.startswith(prefix) for rule in RULES):
                raise UsageError(
                    f"{option} {prefix or repr(prefix)} names no rule.",
                    change="`padcheck rules` lists the codes; a prefix such as PAD1 counts.",
                )
