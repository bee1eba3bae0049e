"""What a rule looks at: the evidence, each run compared with its reference, and questions that several rules ask."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from padcheck.core.evidence import OTHER_ATTENTION, Evidence, PadCountSweep, Place
from padcheck.core.facts import PaddingSide
from padcheck.core.precision import PrecisionTest
from padcheck.core.run_plans import CONTROLS, RUN_PLANS, SINGLE, RunName
from padcheck.core.run_results import RowDifference
from padcheck.core.task_plans import IN_FLOAT32
from padcheck.core.tolerances import Tolerance, share_of_allowance
from padcheck.core.use_case import Task, UseCase
from padcheck.core.verdicts import Comparison, RowComparison, Verdict
from padcheck.judging.task_case import TaskCase

Reads = tuple[RunName | tuple[RunName, ...], ...]
"""The runs that a rule needs. Of a tuple of runs one is enough; the reason for being undecided names its first run."""

ONLY_THE_TOKENIZER = "only the tokenizer was inspected"

LEFT_BATCH: tuple[RunName, ...] = ("left", "left_float32")
"""The runs that `Case.left` chooses from."""

_LEFT_PADDED = tuple(
    name
    for name, plan in RUN_PLANS.items()
    if plan.padding_side == "left" and plan.reference == SINGLE and plan.must_match
)
"""The left-padded runs that must match the prompts alone."""


class Step(NamedTuple):
    """One step of one row: how far its logits are from the reference's, and how far rounding may move them."""

    prompt_index: int
    num_pad_tokens: int
    max_abs_diff: float | None
    allowed: float

    @property
    def off(self) -> bool:
        """True if the logits differ by more than rounding explains."""
        return share_of_allowance(self.max_abs_diff, self.allowed) > 1


class Case(NamedTuple):
    """What a rule looks at.

    Attributes:
        evidence: Everything that was measured.
        comparisons: Each run that has a reference, compared with it.
        tolerances: What rounding explains in each run.
        use: What the caller does with the model.
        precision: The test of what 16 bit adds; None if it does not apply.
        task: The case of the task that was measured, such as classifying; None if none was.
    """

    evidence: Evidence
    comparisons: dict[str, Comparison]
    tolerances: dict[str, Tolerance]
    use: UseCase = UseCase()
    precision: PrecisionTest | None = None
    task: TaskCase | None = None

    @property
    def left(self) -> RunName:
        """The left-padded batch that probes are compared with: in float32 if a 16-bit model also ran in float32."""
        return "left_float32" if self.ran("left_float32") else "left"

    @property
    def place(self) -> Place | None:
        """The first module that left padding, or the batch, changes."""
        places = self.evidence.places.items()
        return next((place for name, place in places if name in RUN_PLANS and name != "right_forward"), None)

    def task_place(self, *sides: PaddingSide) -> Place | None:
        """The first module that padding on one of these sides changes in the task."""
        name = "" if self.task is None else self.task.evidence.name
        keys = [f"{name}_{side}{end}" for side in sides for end in ("", IN_FLOAT32)]
        return next((self.evidence.places[key] for key in keys if key in self.evidence.places), None)

    def has_task(self, name: Task | None) -> bool:
        """True if this task was measured."""
        return self.task is not None and self.task.evidence.name == name

    def ran(self, *runs: RunName) -> bool:
        """True if each of these runs was compared with its reference."""
        return all(run in self.comparisons and self.comparisons[run].verdict is not Verdict.NOT_RUN for run in runs)

    def undecided(self, reads: Reads) -> str | None:
        """Why a rule that reads these runs cannot decide; None if it can."""
        for each in reads:
            runs = each if isinstance(each, tuple) else (each,)
            if not any(self.ran(run) for run in runs):
                return f"undecided: {self._why_not_run(runs[0])}"
        return None

    def _why_not_run(self, name: RunName) -> str:
        if not self.evidence.runs and self.evidence.task is not None:
            return f"with --task {self.evidence.task.name} nothing is generated"
        if not self.evidence.runs:
            return ONLY_THE_TOKENIZER
        run = self.evidence.runs.get(name)
        if run is None:
            return f"the run {name} did not run"
        return f"the run {name} has no row to compare" if run.error is None else f"the run {name} raised: {run.error}"

    def wrong(self, run: RunName) -> list[RowComparison]:
        """The padded rows of a run that differ by more than rounding."""
        rows = self.comparisons[run].rows if run in self.comparisons else ()
        return [row for row in rows if row.num_pad_tokens and row.verdict is Verdict.DIFFERENT]

    def share(self, run: RunName, rows: Sequence[object]) -> str:
        """`1 of 4 prompts`; `1 of the 2 prompts tried` if the run, a probe, took only some of the prompts."""
        tried, given = len(self.comparisons[run].rows), len(self.evidence.prompts)
        return f"{len(rows)} of {given} prompts" if tried == given else f"{len(rows)} of the {tried} prompts tried"

    def right(self, run: RunName) -> bool:
        """True if a run was compared and no row, padded or not, differs by more than rounding."""
        return self.ran(run) and self.comparisons[run].verdict.within_rounding

    def harmed(self) -> bool:
        """True if left padding is wrong: in the batch, in a batch of one, in float32, or with other pad counts."""
        wrong = any(self.ran(run) and not self.right(run) for run in _LEFT_PADDED)
        in_16_bit = self.precision is not None and self.precision.shows_fault
        return wrong or in_16_bit or any(step.off for step in (*self.sweep(), *self.screen()))

    def undecidable(self) -> str | None:
        """Why no difference says anything about padding: rows depend on their batch by construction.

        None if they do not, or if nothing differs.
        """
        batches: tuple[RunName, ...] = ("few_copies", "batched", "right_forward")
        differ = any(self.ran(run) and self.comparisons[run].verdict is Verdict.DIFFERENT for run in batches)
        return self.evidence.model.batch_dependent if differ or self.harmed() else None

    def first_steps(self, run: RunName) -> list[Step]:
        """The first step of each padded row of a run."""
        return [self._step(run, row, 0) for row in self._padded(run)]

    def later_steps(self, run: RunName) -> list[Step]:
        """All other steps of the padded rows."""
        return [self._step(run, row, number) for row in self._padded(run) for number in range(1, len(row.steps))]

    def off_at_first(self, run: RunName, row: RowComparison) -> bool:
        """True if this row of a run is off at its first step already."""
        rows = self.evidence.differences[run]
        return any(self._step(run, each, 0).off for each in rows if each.prompt_index == row.prompt_index)

    def only_later_steps_wrong(self, run: RunName) -> bool:
        """True if padded rows of a run are wrong, but only after their first new token."""
        return bool(self.wrong(run)) and not any(step.off for step in self.first_steps(run))

    def sweep(self) -> list[Step]:
        """One prompt with many pad counts; empty if the sweep did not run."""
        return self._pad_counts(self.evidence.sweep)

    def screen(self) -> list[Step]:
        """Pieces of one text with a few pad counts; empty if they did not run."""
        return self._pad_counts(self.evidence.screen)

    def _pad_counts(self, sweep: PadCountSweep | None) -> list[Step]:
        if sweep is None or sweep.error is not None:
            return []
        allowed = self.tolerances["forward" if "forward" in self.tolerances else SINGLE].allowed
        return [
            Step(sweep.prompt_index, count.num_pad_tokens, count.step.max_abs_diff, allowed(count.step.logit_scale))
            for count in sweep.counts
        ]

    def wrong_alone(self) -> list[RowComparison]:
        """The prompts that, alone and unpadded, give other logits with a cache than without."""
        rows = self.comparisons["uncached"].rows if self.ran("uncached") else ()
        return [row for row in rows if row.verdict is Verdict.DIFFERENT]

    def right_with_attention(self) -> str | None:
        """The attention implementation that makes a wrong left-padded batch right; None if none was seen to."""
        if not self.ran("left", "left_other_attention"):
            return None
        in_float32 = self.evidence.runs["left_other_attention"].dtype is not None
        wrong = [step for step in self.first_steps("left_float32" if in_float32 else "left") if step.off]
        if not wrong or any(step.off for step in self.first_steps("left_other_attention")):
            return None
        return OTHER_ATTENTION.get(self.evidence.model.attn_implementation or "")

    def control_was_seen(self) -> bool | None:
        """Whether a fault made on purpose changes a padded row; None if the evidence has no such control.

        If it changes nothing, no fault of the mask could be seen.
        """
        if "broken_mask" not in self.evidence.runs:
            return None
        rows = [row for run in CONTROLS if self.ran(run) for row in self.comparisons[run].rows if row.num_pad_tokens]
        return any(row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE) for row in rows)

    def _padded(self, run: RunName) -> list[RowDifference]:
        return [row for row in self.evidence.differences.get(run, ()) if row.num_pad_tokens]

    def _step(self, run: RunName, row: RowDifference, number: int) -> Step:
        step = row.steps[number]
        allowed = self.tolerances[run].allowed(step.logit_scale)
        return Step(row.prompt_index, row.num_pad_tokens, step.max_abs_diff, allowed)


_Off = TypeVar("_Off", Step, RowComparison)


def worst(rows: Sequence[_Off]) -> _Off:
    """The row, or step, that uses up the largest share of what is allowed."""
    return max(rows, key=lambda row: share_of_allowance(row.max_abs_diff, row.allowed))


def how_far(furthest: Step | RowComparison, where: str = "") -> str:
    """Such as `largest difference 1.3 (prompt 0, token 2), rounding explains up to 3.9`."""
    difference = "NaN" if furthest.max_abs_diff is None else f"{furthest.max_abs_diff:.2g}"
    at = f" ({where})" if where else ""
    return f"largest difference {difference}{at}, rounding explains up to {furthest.allowed:.2g}"
