"""Classifying: reads the class logits of each row, the predicted class, and the column that the head pools."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError
from padcheck.core.padding import PaddedIds
from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Rows
from padcheck.hf.tasks.call import Way, call
from padcheck.hf.tasks.reading import Reading, largest_difference

_LOGITS = "logits"
_SHOWN = 4
"""The most class logits that a report shows for a row."""


@dataclass(frozen=True)
class Classifying:
    """A model with a sequence classification head; with one label it is a reward model, or a regression."""

    numbers = "class logits"
    runs: tuple[TaskRunName, ...] = (
        "left_pad_id",
        "right_pad_id",
        "left_embeds",
        "right_embeds",
        "ends_in_eos",
    )
    finds_columns = True
    distance = staticmethod(largest_difference)

    def run(self, model: PreTrainedModel, rows: Rows, way: Way) -> torch.Tensor:
        """The logits of each row, (batch, labels).

        Raises:
            NotMeasuredError: The model gives something else.
        """
        logits: torch.Tensor | None = getattr(call(model, rows, way), "logits", None)
        if logits is None or logits.dim() != 2 or len(logits) != len(rows):  # noqa: PLR2004
            given = "nothing" if logits is None else f"a tensor {tuple(logits.shape)}"
            raise NotMeasuredError(
                f"{type(model).__name__} gives {given} as logits, not one row of class logits for each text.",
                meaning="It is no sequence classifier: it has another head, or none.",
                change="Leave out --task classify, or load it with AutoModelForSequenceClassification.",
            )
        return logits

    def part(self, model: PreTrainedModel) -> PreTrainedModel:
        """The whole model."""
        return model

    def reading(self, _model: PreTrainedModel, _row: tuple[int, PaddedIds], values: torch.Tensor, _way: Way) -> Reading:
        """The logits."""
        return Reading({_LOGITS: values})

    def shown(self, model: PreTrainedModel, reading: Reading, _reference: Reading | None) -> dict[str, float]:
        """The logits by label; only the largest if there are many."""
        logits = reading.parts[_LOGITS]
        order = range(len(logits)) if len(logits) <= _SHOWN else logits.topk(_SHOWN).indices.tolist()
        return {_label(model, index): logits[index].item() for index in order}

    def conclude(self, model: PreTrainedModel, readings: dict[int, Reading]) -> dict[int, str | None]:
        """The predicted class of each text."""
        return {index: _outcome(model, reading.parts[_LOGITS]) for index, reading in readings.items()}


def _label(model: PreTrainedModel, index: int) -> str:
    names = getattr(model.config, "id2label", None) or {}
    return str(names.get(index, f"LABEL_{index}"))


def _outcome(model: PreTrainedModel, logits: torch.Tensor) -> str | None:
    """The predicted class; of a multi-label model all of them. None if there is one label: then the number counts."""
    if len(logits) == 1 or logits.isnan().any():
        return None
    if getattr(model.config, "problem_type", None) == "multi_label_classification":
        return ", ".join(_label(model, index) for index, logit in enumerate(logits.tolist()) if logit > 0) or "no label"
    return _label(model, int(logits.argmax()))
