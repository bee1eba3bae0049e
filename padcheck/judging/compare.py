"""Compares each run with its reference: the verdict on every row, under the tolerance that rounding explains."""

from padcheck.core.evidence import Evidence
from padcheck.core.noise_floor import NoiseFloor, noise_floor, tolerance_of
from padcheck.core.precision import precision_test
from padcheck.core.run_plans import SINGLE
from padcheck.core.run_results import RowDifference
from padcheck.core.tolerances import Tolerance, share_of_allowance
from padcheck.core.use_case import UseCase
from padcheck.core.verdicts import Comparison, RowComparison, Verdict
from padcheck.judging.case import Case, Step, how_far

_ANY_USE = UseCase()


def open_case(
    evidence: Evidence, atol: float | None = None, rtol: float | None = None, use: UseCase = _ANY_USE
) -> tuple[Case, NoiseFloor]:
    """The case for the rules, with every run compared under its tolerance, and the noise floor."""
    in_float32 = {name for name, run in evidence.runs.items() if run.dtype is not None}
    own_dtype = {name: rows for name, rows in evidence.differences.items() if name not in in_float32}
    floor = noise_floor(
        evidence.model.dtype, evidence.model.num_layers, evidence.noise, own_dtype, atol=atol, rtol=rtol
    )
    tolerances = {name: tolerance_of(floor, run) for name, run in evidence.runs.items()}
    comparisons = {
        name: _compare_run(evidence, name, tolerances[name])
        for name, run in evidence.runs.items()
        if run.reference is not None
    }
    # The test is about rounding; it does not apply if the user gave the tolerance.
    precision = None if floor.method == "given" else precision_test(evidence.precision)
    return Case(evidence, comparisons, tolerances, use, precision), floor


def _compare_run(evidence: Evidence, name: str, tolerance: Tolerance) -> Comparison:
    """The verdict on a run is the verdict on its worst row."""
    run = evidence.runs[name]
    reference = run.reference or SINGLE
    rows = tuple(_compare_row(difference, tolerance) for difference in evidence.differences.get(name, ()))
    if not rows or run.error is not None:
        reason = run.error or f"the run {reference} has no row to compare with"
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
    """Each step has its own logits and allowance; the step that uses up most of its allowance decides."""
    steps = [
        Step(difference.prompt_index, difference.num_pad_tokens, step.max_abs_diff, tolerance.allowed(step.logit_scale))
        for step in difference.steps
    ]
    number = max(range(len(steps)), key=lambda number: _how_bad(steps[number]))
    furthest = steps[number]
    verdict, reason = _verdict(furthest, number, flipped=difference.flip is not None)
    return RowComparison(
        prompt_index=difference.prompt_index,
        num_pad_tokens=difference.num_pad_tokens,
        verdict=verdict,
        max_abs_diff=furthest.max_abs_diff,
        max_kl=max((step.kl for step in difference.steps if step.kl is not None), default=None),
        allowed=furthest.allowed,
        step=number,
        first_different_token=None if difference.flip is None else difference.flip.step,
        flip=difference.flip,
        reason=reason,
    )


def _how_bad(step: Step) -> tuple[bool, float]:
    """A step without a number counts as worse than any difference, also if nothing is allowed."""
    return step.max_abs_diff is None, share_of_allowance(step.max_abs_diff, step.allowed)


def _verdict(furthest: Step, number: int, *, flipped: bool) -> tuple[Verdict, str]:
    """The verdict on a row, and its reason, from the step that decides."""
    if furthest.max_abs_diff is None:
        return Verdict.NON_FINITE, f"NaN or infinity at token {number}"
    said = how_far(furthest, f"token {number}")
    if furthest.off:
        return Verdict.DIFFERENT, said
    if flipped:
        return Verdict.EQUIVALENT, f"{said}: a near tie"
    if furthest.max_abs_diff > 0:
        return Verdict.EQUIVALENT, said
    return Verdict.IDENTICAL, "same logits to the last bit"
