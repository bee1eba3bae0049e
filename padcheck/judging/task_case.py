"""What a rule about a task looks at: the evidence, each run compared with its reference, and shared questions."""

from typing import NamedTuple

from padcheck.core.facts import PaddingSide
from padcheck.core.task_evidence import TaskEvidence, TaskRow
from padcheck.core.task_plans import ALONE, IN_FLOAT32, TASK_CONTROLS
from padcheck.core.verdicts import Comparison, RowComparison, Verdict

SIDES: tuple[PaddingSide, ...] = ("left", "right")
_WRONG = (Verdict.DIFFERENT, Verdict.NON_FINITE)


class TaskCase(NamedTuple):
    """What a rule about a task looks at.

    Attributes:
        evidence: What was measured.
        comparisons: Each run that has a reference, compared with it.
        side: The side that the caller pads on: the one that was given, otherwise the tokenizer's.
    """

    evidence: TaskEvidence
    comparisons: dict[str, Comparison]
    side: PaddingSide

    @property
    def sides(self) -> tuple[PaddingSide, ...]:
        """Both sides, the caller's first."""
        return tuple(sorted(SIDES, key=lambda side: side != self.side))

    def ran(self, run: str) -> bool:
        """True if a run was compared with its reference."""
        return run in self.comparisons and self.comparisons[run].verdict is not Verdict.NOT_RUN

    def right(self, run: str) -> bool:
        """True if a run was compared, and nothing in it differs by more than rounding."""
        return self.ran(run) and self.comparisons[run].verdict.within_rounding

    def wrong(self, run: str) -> list[RowComparison]:
        """The rows of a run that differ by more than rounding."""
        rows = self.comparisons[run].rows if run in self.comparisons else ()
        return [row for row in rows if row.verdict in _WRONG]

    def wrong_on(self, side: PaddingSide) -> tuple[str, list[RowComparison]]:
        """The padded rows that are wrong on this side, and their run: the user run, or its repetition in float32.

        If the user run raised, it is the run with the pad id in the config.
        """
        for run in (side, side + IN_FLOAT32, *([f"{side}_pad_id"] if self.error(side) is not None else [])):
            rows = [row for row in self.wrong(run) if row.num_pad_tokens]
            if rows:
                return run, rows
        return side, []

    def harmed(self, side: PaddingSide) -> bool:
        """True if padding on this side changes a row."""
        return bool(self.wrong_on(side)[1])

    def needs_pad_id(self, side: PaddingSide) -> bool:
        """True if padding on this side raises, and runs with the pad id in the config."""
        return self.error(side) is not None and self.ran(f"{side}_pad_id")

    def right_on(self, side: PaddingSide) -> bool:
        """True if the batch padded on this side is right, also in float32; with the pad id set if it needs that."""
        right = self.right(side) or (self.needs_pad_id(side) and self.right(f"{side}_pad_id"))
        return right and not self.harmed(side)

    def error(self, run: str) -> str | None:
        """What a run raised; None if it ended or did not run."""
        return self.evidence.runs[run].error if run in self.evidence.runs else None

    def reading_runs(self, run: str) -> tuple[str, ...]:
        """The run and its repetition in float32: one of them has the columns that were read."""
        return tuple(name for name in (run, run + IN_FLOAT32) if name in self.evidence.runs)

    def with_columns(self, run: str) -> dict[int, TaskRow]:
        """The rows of a run of which it is known where they were read, by text."""
        return {
            row.prompt_index: row
            for name in self.reading_runs(run)
            for row in self.evidence.runs[name].rows
            if row.read_at is not None
        }

    def misread(self, run: str) -> list[tuple[TaskRow, TaskRow]]:
        """The rows that are read at other tokens than the text alone, each after the text alone."""
        alone = self.with_columns(ALONE)
        return [
            (alone[index], row)
            for index, row in self.with_columns(run).items()
            if index in alone and alone[index].read_at_token != row.read_at_token
        ]

    def best_choices(self, run: str) -> dict[int, str]:
        """For each prompt with choices the one with the highest log-likelihood, if all of them ran."""
        rows = {row.prompt_index: row for row in self.evidence.runs[run].rows} if run in self.evidence.runs else {}
        scores: dict[int, dict[str, float | None]] = {}
        for index, choice in enumerate(self.evidence.choices):
            if choice.text is not None:
                score = rows[index].numbers.get("log-likelihood") if index in rows else None
                scores.setdefault(choice.prompt_index, {})[choice.text] = score
        return {
            prompt: max(of, key=lambda text: of[text] or 0.0)
            for prompt, of in scores.items()
            if None not in of.values()
        }

    def pad_counts(self) -> list[int]:
        """The pad count of each row of a run that pads."""
        padding = [run for run in self.evidence.runs.values() if run.padding_side is not None]
        return [row.num_pad_tokens for run in padding for row in run.rows]

    def padded(self) -> bool:
        """True if a row has a pad."""
        return any(self.pad_counts())

    def control_was_seen(self) -> bool:
        """True if a fault made on purpose changes a padded row."""
        return any(row.num_pad_tokens for run in TASK_CONTROLS for row in self.wrong(run))

    def measured(self) -> bool:
        """True if there is a verdict: padded rows were compared, and a fault would have shown."""
        compared = any(self.ran(run) for run in (self.side, f"{self.side}_pad_id"))
        return compared and self.padded() and (self.control_was_seen() or any(map(self.harmed, SIDES)))
