"""Embedding: pools the hidden states of the last layer into one vector per text, as callers and libraries do."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError
from padcheck.core.padding import PaddedIds
from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.generation import tensors
from padcheck.hf.tasks.call import Way, call
from padcheck.hf.tasks.reading import Reading, largest_difference

Pool = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From hidden states (batch, columns, width) and mask (batch, columns, 1) to vectors (batch, width)."""

_FEWEST_TEXTS = 3
"""With fewer texts there is no order of neighbours."""


def _at(hidden: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), columns]


def _last(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _at(hidden, mask.shape[1] - 1 - mask[..., 0].flip(1).argmax(1))


def _first(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _at(hidden, mask[..., 0].argmax(1))


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask).sum(1) / mask.sum(1)


def _weighted_mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Later columns weigh more, by their number in the row, as in sentence-transformers."""
    weights = mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)[:, None]
    return (hidden * weights).sum(1) / weights.sum(1)


POOLS: dict[str, Pool] = {
    "last": _last,
    "mean": _mean,
    "first": _first,
    "last_column": lambda hidden, _mask: hidden[:, -1],
    "mask_sum": lambda hidden, mask: _at(hidden, mask[..., 0].sum(1) - 1),
    "first_column": lambda hidden, _mask: hidden[:, 0],
    "all_slots": lambda hidden, _mask: hidden.mean(1),
    # As sentence-transformers implements them.
    "cls": lambda hidden, _mask: hidden[:, 0],
    "max": lambda hidden, mask: hidden.masked_fill(mask == 0, -1e9).amax(1),
    "mean_sqrt_len_tokens": lambda hidden, mask: (hidden * mask).sum(1) / mask.sum(1).sqrt(),
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
"""The ways of pooling, by name."""

_RIGHT_FORM = {"last_column": "last", "mask_sum": "last", "first_column": "first", "all_slots": "mean"}
"""What each index that ignores the mask is meant to give."""

_BY_MASK = ("last", "mean", "first")


@dataclass(frozen=True)
class Embedding:
    """A model whose hidden states are pooled.

    Attributes:
        pooling: The modes of a sentence-transformers model; empty for any other model. Then the last token, the mean
            and the first token are measured, and also what indices that ignore the mask would give.
    """

    pooling: tuple[str, ...] = ()

    distance = staticmethod(largest_difference)

    @property
    def finds_columns(self) -> bool:
        """True for a sentence-transformers model; the last token, the mean and the first token read every column."""
        return bool(self.pooling)

    @property
    def numbers(self) -> str:
        """What is compared."""
        return "embeddings"

    @property
    def runs(self) -> tuple[TaskRunName, ...]:
        """The indices that ignore the mask, on both sides."""
        if self.pooling:
            return ()
        return (
            *("left_last_column", "right_last_column", "left_mask_sum", "right_mask_sum"),
            *("left_first_column", "right_first_column", "left_all_slots", "right_all_slots"),
        )

    def part(self, model: PreTrainedModel) -> PreTrainedModel:
        """The encoder of an encoder-decoder model, which is what embeds; otherwise the model itself."""
        return model.get_encoder() if model.config.is_encoder_decoder else model

    def run(self, model: PreTrainedModel, rows: Rows, way: Way) -> torch.Tensor:
        """The vectors of each row, one after another, (batch, poolings * width).

        Raises:
            NotMeasuredError: The model gives no hidden states for each column.
        """
        hidden: torch.Tensor | None = getattr(call(model, rows, way), "last_hidden_state", None)
        expected = (len(rows), len(rows[0][1].input_ids))
        if hidden is None or tuple(hidden.shape[:2]) != expected:
            given = "nothing" if hidden is None else f"a tensor {tuple(hidden.shape)}"
            raise NotMeasuredError(
                f"{type(model).__name__} gives {given} as last_hidden_state, not hidden states for {expected} columns.",
                meaning="It has a head, or changes the length of its input.",
                change="Load it with AutoModel, without a head.",
            )
        mask = tensors(model, rows)[1][..., None].to(hidden.device)
        return torch.cat([POOLS[name](hidden, mask) for name in self._pools(way)], dim=-1)

    def reading(self, _model: PreTrainedModel, _row: tuple[int, PaddedIds], values: torch.Tensor, way: Way) -> Reading:
        """The vector of each way of pooling."""
        names = self._pools(way)
        parts = values.chunk(len(names))
        return Reading({_RIGHT_FORM.get(name, name): part for name, part in zip(names, parts, strict=True)})

    def shown(self, _model: PreTrainedModel, reading: Reading, reference: Reading | None) -> dict[str, float]:
        """The cosine of each vector to that of the text alone."""
        if reference is None:
            return {}
        return {
            f"cos({name})": cosine_similarity(vector, reference.parts[name], dim=0).item()
            for name, vector in reading.parts.items()
        }

    def conclude(self, _model: PreTrainedModel, readings: dict[int, Reading]) -> dict[int, str | None]:
        """For each text the others in the order of their distance, nearest first; by the first way of pooling."""
        if len(readings) < _FEWEST_TEXTS:
            return {}
        vectors = {index: next(iter(reading.parts.values())) for index, reading in readings.items()}
        found: dict[int, str | None] = {}
        for index, vector in vectors.items():
            near = {
                other: cosine_similarity(vector, of, dim=0).item() for other, of in vectors.items() if other != index
            }
            found[index] = "near " + " ".join(map(str, sorted(near, key=lambda other: -near[other])))
        return found

    def _pools(self, way: Way) -> tuple[str, ...]:
        return self.pooling or ((way.pooling,) if way.pooling is not None else _BY_MASK)
