"""Classifiers with a planted fault: in the head, in the base model, or in the config."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from zoo.families import PAD, UNK, Build, build_family
from zoo.planting import Fault, plant

Pool = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""From hidden states (batch, columns, width), ids and mask (batch, columns): (batch, width)."""


@dataclass(frozen=True)
class PlantedHead:
    """A classifier with one fault.

    Attributes:
        name: What is wrong with it.
        build: Makes it, in a dtype.
        sides: The sides on which a padded batch is wrong.
        causes: The codes that name the fault.
    """

    name: str
    build: Build
    sides: frozenset[str]
    causes: frozenset[str]


def classifier(
    dtype: torch.dtype, model_type: str = "llama", pad: int | None = PAD, **settings: Any
) -> PreTrainedModel:
    """A classifier of a family, with three labels; its config names this pad id."""
    of = AutoModelForSequenceClassification.from_config
    model = build_family(dtype, model_type, of=of, num_labels=3, **settings)
    model.config.pad_token_id = pad
    return model


def _pooled(dtype: torch.dtype, pool: Pool, model_type: str = "llama") -> PreTrainedModel:
    """A classifier whose head pools in another way."""
    model = classifier(dtype, model_type)

    def forward(input_ids=None, attention_mask=None, position_ids=None, inputs_embeds=None, **_: Any):
        passed = {"position_ids": position_ids} if position_ids is not None else {}
        hidden = model.base_model(
            input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds, **passed
        ).last_hidden_state
        ids = torch.full(hidden.shape[:2], UNK) if input_ids is None else input_ids
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        return SequenceClassifierOutput(logits=model.score(pool(hidden, ids, mask).to(hidden.dtype)))

    model.forward = forward
    return model


def _at(hidden: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    return hidden[torch.arange(len(hidden)), columns]


def _mean_of_text(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def _before_first_pad(hidden: torch.Tensor, ids: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
    first = (ids == PAD).int().argmax(-1)
    return _at(hidden, torch.where((ids == PAD).any(-1), (first - 1).clamp_min(0), ids.shape[1] - 1))


def _first_pad(hidden: torch.Tensor, ids: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
    return _at(hidden, (ids == PAD).int().argmax(-1) - (~(ids == PAD).any(-1)).int())


def _last_of_mask(hidden: torch.Tensor, _ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _at(hidden, mask.shape[1] - 1 - mask.flip(1).argmax(1))


def _less_the_batch(hidden: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    last = _last_of_mask(hidden, ids, mask)
    return last + len(last) - 1


def _planted(dtype: torch.dtype, fault: Fault, model_type: str = "llama") -> PreTrainedModel:
    return plant(classifier(dtype, model_type), fault)


BOTH, LEFT, RIGHT = frozenset({"left", "right"}), frozenset({"left"}), frozenset({"right"})


def _head(name: str, pool: Pool, sides: frozenset[str], *causes: str) -> PlantedHead:
    return PlantedHead(name, partial(_pooled, pool=pool), sides, frozenset(causes))


PLANTED_HEADS: tuple[PlantedHead, ...] = (
    _head("pools the last column", lambda hidden, _ids, _mask: hidden[:, -1], RIGHT, "PAD412"),
    _head("pools the first pad", _first_pad, BOTH, "PAD412"),
    _head("pools the column before the first pad", _before_first_pad, LEFT, "PAD412"),
    _head("pools mask.sum() - 1", lambda hidden, _ids, mask: _at(hidden, mask.sum(1) - 1), LEFT, "PAD412"),
    _head("pools the first column", lambda hidden, _ids, _mask: hidden[:, 0], LEFT, "PAD412"),
    _head("mean over all slots", lambda hidden, _ids, _mask: hidden.mean(1), BOTH, "PAD408"),
    _head("maximum over all slots", lambda hidden, _ids, _mask: hidden.amax(1), BOTH, "PAD408"),
    _head(
        "mean divided by the width",
        lambda hidden, _ids, mask: (hidden * mask[..., None]).sum(1) / mask.shape[1],
        BOTH,
    ),
    _head("adds the size of the batch", _less_the_batch, BOTH, "PAD409"),
    PlantedHead("the config names another pad id", partial(classifier, pad=UNK), RIGHT, frozenset({"PAD411"})),
    PlantedHead("the config names no pad id", partial(classifier, pad=None), BOTH, frozenset({"PAD411"})),
    PlantedHead("positions count pads", partial(classifier, model_type="gpt2"), LEFT, frozenset({"PAD407"})),
    PlantedHead(
        "the mask is ignored",
        partial(_planted, fault=lambda call: {"attention_mask": torch.ones_like(call.mask).long()}),
        LEFT,
        frozenset({"PAD408"}),
    ),
    PlantedHead(
        "NaN next to pads",
        partial(
            _pooled, pool=lambda hidden, ids, mask: _last_of_mask(hidden, ids, mask) + (mask.log().sum(1) * 0)[:, None]
        ),
        BOTH,
        frozenset(),
    ),
)

CLEAN_HEADS: dict[str, Build] = {
    **{
        model_type: partial(classifier, model_type=model_type)
        for model_type in ("llama", "qwen2", "mistral", "opt", "bloom", "falcon", "gpt_neox", "gemma2", "gptj")
    },
    "mean over the text": partial(_pooled, pool=lambda hidden, _ids, mask: _mean_of_text(hidden, mask)),
    "last token of the mask": partial(_pooled, pool=_last_of_mask),
}
"""Classifiers that padding on either side does not harm."""
