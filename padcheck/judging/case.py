"""What a rule looks at, and the questions that several rules ask of it."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from padcheck.core.evidence import OTHER_ATTENTION, Evidence, PadCountSweep, Place, RowDifference
from padcheck.core.precision import PrecisionTest
from padcheck.core.report import Comparison, RowComparison, Verdict
from padcheck.core.run_plans import CONTROLS, SINGLE
from padcheck.core.tolerances import Tolerance, share_of_allowance
from padcheck.core.use_case import UseCase


class Step(NamedTuple):
    """One step of one row, beside what rounding is allowed there."""

    prompt_index: int
    num_pad_tokens: int
    max_abs_diff: float | None
    allowed: float

    @property
    def off(self) -> bool:
        """True where the logits differ by more than rounding."""
        return share_of_allowance(self.max_abs_diff, self.allowed) > 1


class Case(NamedTuple):
    """What a rule looks at: the evidence, each arm's comparison under the tolerance in force for it, and the use."""

    evidence: Evidence
    comparisons: dict[str, Comparison]
    tolerances: dict[str, Tolerance]
    use: UseCase = UseCase()
    precision: PrecisionTest | None = None

    @property
    def left(self) -> str:
        """The left-padded batch that probes are compared with: that in float32 if a 16-bit model ran there too."""
        return "left_float32" if self.ran("left_float32") else "left"

    @property
    def place(self) -> Place | None:
        """The module in which left padding, or the batch, begins to change the result."""
        return next((place for arm, place in self.evidence.places.items() if arm != "right_forward"), None)

    def ran(self, *arms: str) -> bool:
        """True where each of these arms ran and was compared."""
        return all(arm in self.comparisons and self.comparisons[arm].verdict is not Verdict.NOT_RUN for arm in arms)

    def wrong(self, arm: str) -> list[RowComparison]:
        """The padded rows of an arm whose logits are off by more than rounding."""
        rows = self.comparisons[arm].rows if arm in self.comparisons else ()
        return [row for row in rows if row.num_pad_tokens and row.verdict is Verdict.DIFFERENT]

    def share(self, arm: str, rows: Sequence[object]) -> str:
        """How many of the prompts of an arm these are: a probe runs on a few where nothing else differs."""
        tried, given = len(self.comparisons[arm].rows), len(self.evidence.prompts)
        return f"{len(rows)} of {given} prompts" if tried == given else f"{len(rows)} of the {tried} prompts tried"

    def right(self, arm: str) -> bool:
        """True where an arm ran and no row of it, padded or not, is off by more than rounding."""
        return self.ran(arm) and self.comparisons[arm].verdict.within_rounding

    def harmed(self) -> bool:
        """True if left padding is wrong: in the batch, alone, in float32, or behind other numbers of pads."""
        wrong = any(self.ran(arm) and not self.right(arm) for arm in ("left", "left_alone", "left_float32"))
        in_16_bit = self.precision is not None and self.precision.shows_fault
        return wrong or in_16_bit or any(step.off for step in (*self.sweep(), *self.screen()))

    def undecidable(self) -> str | None:
        """Why nothing that differs says anything about padding: rows depend on their batch by construction.

        None where they should not, or where nothing differs.
        """
        differs = self.harmed() or any(comparison.verdict is Verdict.DIFFERENT for comparison in self._without_pads())
        return self.evidence.model.batch_dependent if differs else None

    def _without_pads(self) -> list[Comparison]:
        return [self.comparisons[arm] for arm in ("few_copies", "batched", "right_forward") if self.ran(arm)]

    def first_steps(self, arm: str) -> list[Step]:
        """The first step of each padded row of an arm."""
        return [self._step(arm, row, 0) for row in self.evidence.differences.get(arm, ()) if row.num_pad_tokens]

    def later_steps(self, arm: str) -> list[Step]:
        """All other steps of the padded rows."""
        rows = [row for row in self.evidence.differences.get(arm, ()) if row.num_pad_tokens]
        return [self._step(arm, row, number) for row in rows for number in range(1, len(row.steps))]

    def off_at_first(self, arm: str, row: RowComparison) -> bool:
        """True if this row of an arm is off at its first step already."""
        rows = self.evidence.differences[arm]
        return any(self._step(arm, each, 0).off for each in rows if each.prompt_index == row.prompt_index)

    def only_later_steps_wrong(self, arm: str) -> bool:
        """True where padded rows of an arm are wrong, and each of them only after its first new token."""
        return bool(self.wrong(arm)) and not any(step.off for step in self.first_steps(arm))

    def sweep(self) -> list[Step]:
        """One prompt behind many numbers of pads; empty if the sweep did not run."""
        return self._pad_counts(self.evidence.sweep)

    def screen(self) -> list[Step]:
        """Pieces of one text behind a few numbers of pads; empty if they did not run."""
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
        """Prompts whose unpadded run is itself off: with a cache it says something else than without."""
        rows = self.comparisons["uncached"].rows if self.ran("uncached") else ()
        return [row for row in rows if row.verdict is Verdict.DIFFERENT]

    def right_with_attention(self) -> str | None:
        """The attention implementation that makes the left-padded batch right, where it is wrong with the model's."""
        if not self.ran("left", "left_other_attention"):
            return None
        in_float32 = self.evidence.runs["left_other_attention"].dtype is not None
        wrong = [step for step in self.first_steps("left_float32" if in_float32 else "left") if step.off]
        if not wrong or any(step.off for step in self.first_steps("left_other_attention")):
            return None
        return OTHER_ATTENTION.get(self.evidence.model.attn_implementation or "")

    def control_was_seen(self) -> bool | None:
        """Whether a fault made on purpose shows; None where the evidence has no such probe.

        The pads replaced by other ids and unmasked must change a padded row, or no fault of the mask could be seen.
        """
        if "broken_mask" not in self.evidence.runs:
            return None
        rows = [row for arm in CONTROLS if self.ran(arm) for row in self.comparisons[arm].rows if row.num_pad_tokens]
        return any(row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE) for row in rows)

    def _step(self, arm: str, row: RowDifference, number: int) -> Step:
        step = row.steps[number]
        allowed = self.tolerances[arm].allowed(step.logit_scale)
        return Step(row.prompt_index, row.num_pad_tokens, step.max_abs_diff, allowed)


_Off = TypeVar("_Off", Step, RowComparison)


def worst(rows: Sequence[_Off]) -> _Off:
    """The row, or the step, that is furthest beyond what it is allowed."""
    return max(rows, key=lambda row: share_of_allowance(row.max_abs_diff, row.allowed))
