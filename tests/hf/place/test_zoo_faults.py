"""Faults planted in the base model are found in the module where they first change a real token."""

import pytest
import torch
import zoo
from places import ONE_PAD, assert_place_is, layer, place_in
from torch import nn
from transformers import PreTrainedModel
from zoo import batches, masks, numbers, positions, states


def _base(model: PreTrainedModel) -> nn.Module:
    return model.base_model


def _first_attention(model: PreTrainedModel) -> nn.Module:
    return layer(model, 0).self_attn


def _second_attention(model: PreTrainedModel) -> nn.Module:
    return layer(model, 1).self_attn


IN_THE_BASE_MODEL = {
    "mask ignored": (_first_attention, {}),
    "mask ignored by mamba": (lambda model: layer(model, 0).mixer, {}),
    "mask dropped while decoding": (_first_attention, {"step": 1}),
    "mask one pad short": (_first_attention, {}),
    "mask one token long": (_first_attention, {}),
    "soft mask": (_first_attention, {}),
    "first slot always seen": (_first_attention, {}),
    "three pads hidden at most": (_first_attention, {}),
    "attention in blocks of slots": (_first_attention, {"prompt": ONE_PAD}),
    "mask ignored by sdpa": (_first_attention, {}),
    "mask added as a number by eager": (_first_attention, {}),
    "learned positions by slot": (_base, {}),
    "learned positions by slot while decoding": (_base, {"step": 1}),
    "rotary positions by slot while decoding": (_base, {"step": 1}),
    "positions of the first row": (_base, {}),
    "positions as if padded on the left": (_base, {"side": "right"}),
    "state runs over pads": (_base, {}),
    "state in chunks of slots": (_base, {"prompt": ONE_PAD}),
    "mean over pads": (_base, {}),
    "dynamic rope": (lambda model: model.model.rotary_emb, {}),
    "expert capacity": (lambda model: layer(model, 0).mlp, {}),
    "one scale for the batch": (lambda model: layer(model, 0).mlp.down_proj, {}),
    # A pad attends to nothing. Its NaN reaches real tokens in the next layer.
    "fully masked rows": (_second_attention, {}),
    "first token read by count": (_base, {}),
}
"""For each fault the module in which it shows, and the options of `place_in`."""


@pytest.mark.parametrize("name", IN_THE_BASE_MODEL)
def test_a_fault_of_the_base_model_is_found_where_it_first_shows(name: str) -> None:
    fault = next(fault for fault in zoo.FAULTS if fault.name == name)
    expected, options = IN_THE_BASE_MODEL[name]
    model = fault.build(torch.float32)
    assert_place_is(place_in(model, **options), model, expected(model))


def test_every_fault_is_covered() -> None:
    elsewhere = {
        "learned positions by slot, passed",
        "fully masked rows in float16",
        # generate() itself gives new tokens after pads on the right other positions.
        "state decays over pads on the right",
    }
    planted = (*positions.FAULTS, *masks.FAULTS, *states.FAULTS, *batches.FAULTS, *numbers.FAULTS)
    assert {fault.name for fault in planted} == IN_THE_BASE_MODEL.keys() | elsewhere
