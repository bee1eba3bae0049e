"""Language models with a planted fault of training: in the loss, in the gradient, or in what the base model sees."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from zoo.families import PAD, Build, build_family
from zoo.planting import planted

Loss = Callable[[torch.Tensor, torch.Tensor, int | None], torch.Tensor]
"""The loss of logits (batch, width, vocab_size), labels (batch, width), and the label tokens of all micro-batches."""

Leak = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From the hidden states (batch, width, hidden) that enter the first layer and the pads (batch, width): new ones."""


@dataclass(frozen=True)
class PlantedTraining:
    """A language model with one fault.

    Attributes:
        name: What is wrong with it.
        build: Makes it, in a dtype.
        side: The side that the caller pads on.
        codes: The codes that name the fault.
        fails: Whether one of them is an error on this side.
    """

    name: str
    build: Build
    side: str
    codes: frozenset[str]
    fails: bool = True


def mean_over_tokens(logits: torch.Tensor, labels: torch.Tensor, num_items: int | None) -> torch.Tensor:
    """The right loss."""
    total = cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), reduction="sum")
    return total / (num_items or (labels[:, 1:] != -100).sum())


def with_loss(dtype: torch.dtype, loss: Loss, model_type: str = "llama") -> PreTrainedModel:
    """A model of a family whose own loss is this one."""
    model = build_family(dtype, model_type)
    forward = model.forward

    def with_own_loss(*args: Any, labels: Any = None, num_items_in_batch: int | None = None, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        if labels is not None:
            output.loss = loss(output.logits, labels, num_items_in_batch)
        return output

    model.forward = with_own_loss
    return model


def _pads_count(logits: torch.Tensor, labels: torch.Tensor, num_items: int | None) -> torch.Tensor:
    return mean_over_tokens(logits, labels.masked_fill(labels == -100, PAD), num_items)


def _mean_of_means(logits: torch.Tensor, labels: torch.Tensor, _num_items: int | None) -> torch.Tensor:
    return torch.stack(
        [mean_over_tokens(row[None], of_row[None], None) for row, of_row in zip(logits, labels, strict=True)]
    ).mean()


def _shifted_twice(logits: torch.Tensor, labels: torch.Tensor, num_items: int | None) -> torch.Tensor:
    return mean_over_tokens(logits, torch.nn.functional.pad(labels[:, 1:], (0, 1), value=-100), num_items)


def not_shifted(logits: torch.Tensor, labels: torch.Tensor, _num_items: int | None) -> torch.Tensor:
    """A loss that compares each token's logits with the token itself."""
    return cross_entropy(logits.flatten(0, 1).float(), labels.flatten())


def _ignores_num_items(logits: torch.Tensor, labels: torch.Tensor, _num_items: int | None) -> torch.Tensor:
    return mean_over_tokens(logits, labels, None)


def _divided_by_width(logits: torch.Tensor, labels: torch.Tensor, _num_items: int | None) -> torch.Tensor:
    return mean_over_tokens(logits, labels, labels[:, 1:].numel())


def leaking(dtype: torch.dtype, leak: Leak) -> PreTrainedModel:
    """A model whose first layer gets other hidden states."""
    model = build_family(dtype)
    pads: list[torch.Tensor] = []

    def watch(_base: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        mask, ids = kwargs.get("attention_mask"), args[0] if args else kwargs["input_ids"]
        pads[:] = [torch.zeros_like(ids).bool() if mask is None else mask[:, -ids.shape[1] :] == 0]

    def change(_layer: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (leak(args[0], pads[0]), *args[1:])

    model.base_model.register_forward_pre_hook(watch, with_kwargs=True)
    model.base_model.layers[0].register_forward_pre_hook(change)
    return model


def _only_gradient(hidden: torch.Tensor, pads: torch.Tensor) -> torch.Tensor:
    """The numbers stay as they are, but each column has a gradient with respect to the pads of its row."""
    of_pads = (hidden * pads[..., None]).sum(1, keepdim=True)
    return hidden + of_pads - of_pads.detach()


def _scaled_gradient(hidden: torch.Tensor, pads: torch.Tensor) -> torch.Tensor:
    """The gradient of a row grows with its pads; the numbers stay as they are."""
    scaled = hidden * (1 + pads.sum(1))[:, None, None].to(hidden.dtype)
    return scaled - scaled.detach() + hidden.detach()


def _with_loss(name: str, loss: Loss, *codes: str, side: str = "right", fails: bool = True) -> PlantedTraining:
    return PlantedTraining(name, partial(with_loss, loss=loss), side, frozenset(codes), fails)


PLANTED_TRAINING: tuple[PlantedTraining, ...] = (
    _with_loss("the loss counts pads", _pads_count, "PAD441"),
    _with_loss("the loss is divided by the width", _divided_by_width, "PAD441"),
    _with_loss("the loss is divided by the width, on the left", _divided_by_width, "PAD441", side="left"),
    _with_loss("the loss is a mean of means", _mean_of_means, "PAD442", fails=False),
    _with_loss("labels are shifted twice", _shifted_twice, "PAD444"),
    _with_loss("labels are not shifted", not_shifted, "PAD444", fails=False),
    _with_loss("num_items_in_batch is ignored", _ignores_num_items, "PAD446", fails=False),
    PlantedTraining(
        "pads get a gradient", partial(leaking, leak=_only_gradient), "right", frozenset({"PAD405", "PAD443"})
    ),
    PlantedTraining(
        "pads get a gradient, on the left",
        partial(leaking, leak=_only_gradient),
        "left",
        frozenset({"PAD405", "PAD443"}),
    ),
    PlantedTraining(
        "the gradient grows with the pads", partial(leaking, leak=_scaled_gradient), "right", frozenset({"PAD405"})
    ),
    PlantedTraining(
        "the model attends to pads",
        planted(lambda call: {"attention_mask": torch.ones_like(call.mask).long()}),
        "left",
        frozenset({"PAD404", "PAD408"}),
    ),
    PlantedTraining(
        "positions count pads", partial(build_family, model_type="gpt2"), "left", frozenset({"PAD401"}), fails=False
    ),
    PlantedTraining(
        "positions count pads, whatever is passed",
        planted(lambda call: {"position_ids": call.slots[:, call.past :]}, "gpt2"),
        "left",
        frozenset({"PAD404"}),
    ),
)
