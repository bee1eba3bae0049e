"""Mistakes in the labels that a model gets: pads that count, and an eos that does not."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.watching.checks import ModelCall, Proven
from padcheck.watching.layout import Layout, is_batch
from padcheck.watching.shadow import allowed, quiet

_IGNORED = -100
"""The label that the losses of transformers and torch leave out."""


def kind(arguments: Mapping[str, Any], layout: Layout) -> tuple[bool, bool]:
    """Which mistakes the labels may have: pads that count, an eos that does not."""
    labels = _labels(arguments, layout)
    if labels is None:
        return False, False
    pads = bool(((labels != _IGNORED) & ~layout.real)[layout.known].any())
    return pads, bool(_lost_ends(labels, layout).any())


def shifts(model: PreTrainedModel) -> bool:
    """True if the model's loss compares the label of a column with the output of the column before."""
    return not model.config.is_encoder_decoder and "MaskedLM" not in type(model).__name__


def check(call: ModelCall) -> Proven | None:
    """PAD510 if the loss changes when the pads are left out; PAD511 if the last token of a text is no label."""
    labels = _labels(call.arguments, call.layout)
    pads, ends = kind(call.arguments, call.layout)
    if labels is None or not (pads or ends):
        return None
    if pads:
        as_called = _loss(call, labels)
        without = _loss(call, labels.masked_fill(~call.layout.real, _IGNORED))
        if not abs(as_called - without) > allowed(call.model, abs(without), 0.0):
            return None
        counted = int(((labels != _IGNORED) & ~call.layout.real).sum())
        effect = f"{as_called:.4g} with them, {without:.4g} without"
        facts = {"effect": effect, "loss": as_called, "loss_without_pads": without, "labels": counted}
        return Proven("PAD510", facts)
    eos = int(call.layout.text(int(_lost_ends(labels, call.layout).nonzero()[0]))[0, -1])
    return Proven("PAD511", {"rows": int(_lost_ends(labels, call.layout).sum()), "token_id": eos})


def _labels(arguments: Mapping[str, Any], layout: Layout) -> torch.Tensor | None:
    labels = arguments.get("labels")
    if not is_batch(labels) or labels.shape != layout.ids.shape:
        return None
    return labels.detach().cpu()


def _lost_ends(labels: torch.Tensor, layout: Layout) -> torch.Tensor:
    """True for a known row whose last token has no label although the token before it has one, (batch,)."""
    lost = torch.zeros(len(labels), dtype=torch.bool)
    for row, real in enumerate(layout.real):
        of_text = labels[row][real]
        if layout.known[row] and len(of_text) > 1:
            lost[row] = bool(of_text[-1] == _IGNORED and of_text[-2] != _IGNORED)
    return lost


def _loss(call: ModelCall, labels: torch.Tensor) -> float:
    given = {name: value for name, value in call.arguments.items() if name not in {"labels", "past_key_values"}}
    with quiet(call.model):
        return float(call.model(**given, labels=labels.to(call.arguments["labels"].device)).loss)
