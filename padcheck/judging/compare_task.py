"""Compares the runs of a task with their references, under the tolerance that rounding explains."""

from msgspec.structs import replace

from padcheck.core.evidence import Evidence
from padcheck.core.task_evidence import TaskEvidence, TaskRow
from padcheck.core.task_floor import task_tolerance
from padcheck.core.task_plans import ALONE
from padcheck.core.tolerances import Tolerance, share_of_allowance
from padcheck.core.use_case import UseCase
from padcheck.core.verdicts import Comparison, RowComparison, Verdict
from padcheck.judging.case import how_far
from padcheck.judging.task_case import TaskCase


def open_task_case(evidence: Evidence, atol: float | None, rtol: float | None, use: UseCase) -> TaskCase | None:
    """The case of the task that was measured; None if none was."""
    task = evidence.task
    if task is None:
        return None
    comparisons = {}
    for name, run in task.runs.items():
        if run.reference is not None:
            model = evidence.model
            tolerance = task_tolerance(task.noise, model.dtype, run.dtype, model.num_layers, atol=atol, rtol=rtol)
            comparisons[name] = _compare_run(task, name, tolerance)
    # Texts are usually scored with padding on the right, whatever the tokenizer does for generating.
    side = "right" if task.name == "score" else evidence.tokenizer.padding_side
    return TaskCase(task, comparisons, use.padding_side or side)


def _compare_run(task: TaskEvidence, name: str, tolerance: Tolerance) -> Comparison:
    """The verdict on a run is the verdict on its worst row."""
    run, reference = task.runs[name], task.runs[name].reference or ALONE
    expected = {row.prompt_index: row for row in task.runs[reference].rows} if reference in task.runs else {}
    rows = tuple(
        _compare_row(row, expected[row.prompt_index], tolerance)
        for row in run.rows
        if row.difference is not None and row.prompt_index in expected
    )
    if not rows or run.error is not None:
        reason = run.error or f"the run {reference} has no row to compare with"
        return Comparison(reference=reference, verdict=Verdict.NOT_RUN, reason=reason, rows=rows)
    worst = max(rows, key=lambda row: (row.verdict.rank, share_of_allowance(row.max_abs_diff, row.allowed)))
    several = len(rows) > 1 and worst.verdict is not Verdict.IDENTICAL
    return Comparison(
        reference=reference,
        verdict=worst.verdict,
        max_abs_diff=worst.max_abs_diff,
        allowed=worst.allowed,
        reason=f"text {worst.prompt_index}: {worst.reason}" if several else worst.reason,
        rows=rows,
    )


def _compare_row(row: TaskRow, expected: TaskRow, tolerance: Tolerance) -> RowComparison:
    assert row.difference is not None  # noqa: S101  the caller has checked it
    far, allowed = row.difference.max_abs_diff, tolerance.allowed(row.difference.scale)
    compared = RowComparison(
        prompt_index=row.prompt_index,
        num_pad_tokens=row.num_pad_tokens,
        verdict=_verdict(far, allowed),
        max_abs_diff=far,
        max_kl=None,
        allowed=allowed,
        step=0,
        first_different_token=None,
        reason="",
    )
    return replace(compared, reason=_reason(compared, expected.outcome, row.outcome))


def _verdict(far: float | None, allowed: float) -> Verdict:
    if far is None:
        return Verdict.NON_FINITE
    if share_of_allowance(far, allowed) > 1:
        return Verdict.DIFFERENT
    return Verdict.EQUIVALENT if far > 0 else Verdict.IDENTICAL


def _reason(row: RowComparison, expected: str | None, outcome: str | None) -> str:
    if row.verdict is Verdict.NON_FINITE:
        return "NaN or infinity"
    if row.verdict is Verdict.IDENTICAL:
        return "same numbers to the last bit"
    flips = f"; {expected} becomes {outcome}" if None not in (expected, outcome) and expected != outcome else ""
    near = " (a near tie)" if flips and row.verdict is Verdict.EQUIVALENT else ""
    return how_far(row) + flips + near
