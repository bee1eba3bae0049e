"""Faults of positions. With learned positions every shift matters; with rotary ones only a shift between columns."""

from typing import Any

import torch
from transformers import GPT2LMHeadModel

from zoo.families import build_family
from zoo.planting import Arguments, Call, Clean, Planted, planted


def by_slot(call: Call) -> Arguments:
    """forward() counts its columns and ignores position_ids (nnsight#672, TransformerLens#1609)."""
    return {"position_ids": call.slots[:, call.past :]}


def by_slot_while_decoding(call: Call) -> Arguments:
    """The position of a new token is the length of the cache, including pads (transformers#43734, #48161)."""
    return by_slot(call) if call.past else {}


def of_the_first_row(call: Call) -> Arguments:
    """The positions of the first row are used for the whole batch."""
    return {"position_ids": call.positions[:1, call.past :].expand(len(call.input_ids), -1)}


def as_if_padded_on_the_left(call: Call) -> Arguments:
    """Positions are the slot minus the number of pads, even if the pads are on the right."""
    num_pads = (~call.mask).sum(dim=1, keepdim=True)
    return {"position_ids": (call.slots - num_pads).clamp_min(0)[:, call.past :]}


class PassesSlots(GPT2LMHeadModel):
    """Its prepare_inputs_for_generation() counts slots, like old custom code that ignores the mask."""

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Arguments:
        inputs = super().prepare_inputs_for_generation(input_ids, *args, **kwargs)
        num_new = inputs["input_ids"].shape[1]
        slots = torch.arange(input_ids.shape[1], device=input_ids.device)
        inputs["position_ids"] = slots[-num_new:].expand(len(input_ids), -1)
        return inputs


FAULTS = (
    Planted("learned positions by slot", planted(by_slot, "gpt2"), "PAD302"),
    Planted("learned positions by slot, passed", lambda dtype: build_family(dtype, "gpt2", of=PassesSlots), "PAD302"),
    Planted("learned positions by slot while decoding", planted(by_slot_while_decoding, "gpt2"), "PAD303"),
    Planted("rotary positions by slot while decoding", planted(by_slot_while_decoding), "PAD303"),
    Planted("positions of the first row", planted(of_the_first_row, "gpt2"), "PAD206", by_neighbours=True),
    Planted("positions as if padded on the left", planted(as_if_padded_on_the_left, "gpt2"), "PAD402", left=None),
)
HARMLESS = (Clean("rotary positions by slot", planted(by_slot)),)
