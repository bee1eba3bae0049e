"""What a task reads from one row of a batch, and how far two readings are apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import PreTrainedModel

from padcheck.core.padding import PaddedIds
from padcheck.core.task_evidence import TaskDifference
from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Rows
from padcheck.hf.tasks.call import Way


@dataclass(frozen=True)
class Reading:
    """What a task reads from one row: tensors (numbers,), float32 on the CPU, by name.

    Two readings are compared in the parts that both have.
    """

    parts: Mapping[str, torch.Tensor]

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return sum(part.numel() for part in self.parts.values())


class Reader(Protocol):
    """A task: which runs it has, and what it reads from a batch.

    Attributes:
        numbers: What its numbers are, such as `class logits`.
        runs: The runs that it has, besides those that every task has.
        finds_columns: Whether its numbers come from few columns, which are worth finding.
    """

    @property
    def numbers(self) -> str: ...  # noqa: D102
    @property
    def runs(self) -> tuple[TaskRunName, ...]: ...  # noqa: D102
    @property
    def finds_columns(self) -> bool: ...  # noqa: D102

    def part(self, model: PreTrainedModel) -> PreTrainedModel:
        """The part of the model that is called."""
        ...

    def run(self, model: PreTrainedModel, rows: Rows, way: Way) -> torch.Tensor:
        """Runs one batch; the numbers of each row, (batch, numbers), in the dtype and on the device of the model."""
        ...

    def reading(self, model: PreTrainedModel, row: tuple[int, PaddedIds], values: torch.Tensor, way: Way) -> Reading:
        """What a caller reads from the numbers of one row, (numbers,), float32 on the CPU."""
        ...

    def shown(self, model: PreTrainedModel, reading: Reading, reference: Reading | None) -> dict[str, float]:
        """The numbers that a report shows, by name."""
        ...

    def conclude(self, model: PreTrainedModel, readings: dict[int, Reading]) -> dict[int, str | None]:
        """What a caller concludes about each text of a run; a text without a conclusion may be left out."""
        ...

    def distance(self, reference: Reading, reading: Reading) -> TaskDifference:
        """How far two readings of one text are apart."""
        ...


def read(reader: Reader, model: PreTrainedModel, rows: Rows, way: Way) -> list[Reading]:
    """Runs one batch in inference mode and reads each row."""
    with torch.inference_mode():
        numbers = reader.run(model, rows, way).float().cpu()
        return [reader.reading(model, row, values, way) for row, values in zip(rows, numbers, strict=True)]


def largest_difference(reference: Reading, reading: Reading) -> TaskDifference:
    """The largest difference of any number. An infinity that both have counts as equal."""
    names = [name for name in reading.parts if name in reference.parts]
    expected = torch.cat([reference.parts[name] for name in names])
    found = torch.cat([reading.parts[name] for name in names])
    same = (expected == found) | (expected.isnan() & found.isnan())
    far = (found - expected).abs().masked_fill(same, 0.0)
    sizes = expected.abs().masked_fill(~expected.isfinite(), 0.0)
    furthest = far.max().item()
    return TaskDifference(
        # Comparisons with NaN are false.
        max_abs_diff=furthest if furthest < float("inf") else None,
        scale=sizes.max().item(),
    )


def share_of_norm(expected: torch.Tensor, found: torch.Tensor) -> float | None:
    """The norm of the difference of two vectors, as a share of the norm of the first; None if that is not finite."""
    far = (found - expected).norm().item()
    share = far / size if (size := expected.norm().item()) else far and float("inf")
    return share if share < float("inf") else None  # comparisons with NaN are false
