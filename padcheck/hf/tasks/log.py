"""What the runs of a task gave so far: tensors come in, plain rows are kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf, isfinite

from msgspec.structs import replace
from transformers import PreTrainedTokenizerBase

from padcheck.core.padding import PaddedIds
from padcheck.core.task_evidence import TaskDifference, TaskRow, TaskRun
from padcheck.core.task_plans import TaskPlan
from padcheck.core.tolerances import share_of_allowance
from padcheck.hf.library.exceptions import error_text
from padcheck.hf.tokenizer.encoding import token_text


@dataclass
class TaskLog:
    """What one run gave.

    Attributes:
        plan: What the run is for.
        reference: The run that it is compared with; None if it is not compared.
        dtype: The dtype that it ran in, if that is not the model's.
        rows: By text.
        warnings: What the libraries said, each text once.
        error: What the run raised; it does not run again.
    """

    plan: TaskPlan
    reference: str | None
    dtype: str | None
    rows: dict[int, TaskRow] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def say(self, messages: list[str]) -> None:
        """Adds warnings."""
        self.warnings += [message for message in messages if message not in self.warnings]

    def fail(self, error: Exception) -> None:
        """Keeps what the run raised."""
        self.error = error_text(error)

    def keep(
        self,
        index: int,
        padded: PaddedIds,
        *,
        difference: TaskDifference | None,
        numbers: dict[str, float],
        outcome: str | None,
    ) -> None:
        """Keeps the row of a text. Of several copies of a text, the one that is furthest off stays."""
        row = TaskRow(
            prompt_index=index,
            num_pad_tokens=padded.attention_mask.count(0),
            num_tokens=sum(padded.attention_mask),
            numbers={name: number if isfinite(number) else None for name, number in numbers.items()},
            outcome=outcome,
            difference=difference,
        )
        if index not in self.rows or _far(row) >= _far(self.rows[index]):
            self.rows[index] = row

    def note_columns(
        self, index: int, padded: PaddedIds, columns: tuple[int, ...] | None, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        """Adds to the row of a text which columns its numbers come from."""
        if columns is None or index not in self.rows:
            return
        count, numbers = 0, list[int | None]()
        for real in padded.attention_mask:
            numbers.append(count if real else None)
            count += real
        text: Callable[[int], str] = partial(token_text, tokenizer)
        self.rows[index] = replace(
            self.rows[index],
            read_at=columns,
            read_at_token=tuple(numbers[column] for column in columns),
            read_tokens=tuple(text(padded.input_ids[column]) for column in columns),
        )

    def off(self, allowed: Callable[[float], float]) -> list[int]:
        """The texts whose numbers differ from the reference by more than is allowed, the furthest first."""
        shares = {
            index: share_of_allowance(row.difference.max_abs_diff, allowed(row.difference.scale))
            for index, row in self.rows.items()
            if row.difference is not None
        }
        return sorted((index for index, share in shares.items() if share > 1), key=lambda index: -shares[index])

    def evidence(self) -> TaskRun:
        """The result of the run, its rows in the order of the texts."""
        return TaskRun(
            description=self.plan.description,
            reference=self.reference,
            dtype=self.dtype,
            padding_side=self.plan.padding_side,
            warnings=tuple(self.warnings),
            rows=tuple(self.rows[index] for index in sorted(self.rows)),
            error=self.error,
        )


def _far(row: TaskRow) -> float:
    """How far the row is from its reference; infinite for NaN."""
    if row.difference is None:
        return 0.0
    return inf if row.difference.max_abs_diff is None else row.difference.max_abs_diff
