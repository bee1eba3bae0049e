"""Faults planted into a Llama with real weights: subclasses of its modules whose forward() does one thing wrong.

A module gets another class and keeps its weights. `FAULTS` says what padcheck must report for each fault.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import torch
from real_layers import (
    CoarseScores,
    DoublesPositions,
    NormOverSlots,
    ReadsThePadBehind,
    RoundsPaddedRows,
    ScaledByRealTokens,
    SeesNeighbours,
    SlotsWhileDecoding,
)
from real_masks import (
    BlocksOfSlots,
    FirstSlotSeen,
    MaskIgnored,
    MaskLostWhileDecoding,
    MaskOfTheFirstRow,
    OnePadShort,
    OnePadShortInBatchesOfThree,
    SoftMask,
    SoftMaskInOneLayer,
    TellsLayersOfPads,
)
from torch import nn
from transformers import PreTrainedModel

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_HALF = (torch.bfloat16, torch.float16)
_FIRST_ATTENTION = "model.layers.0.self_attn"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: What is wrong.
        classes: The class that a module gets, by a pattern of the module's name; "" is the model itself.
        cause: The code that names the cause; None if no code does.
        place: The module that must be named; None if the difference is too small to be traced.
        dtypes: The dtypes in which the fault exists. In the others the model is clean.
        max_new_tokens: Enough tokens to see the fault.
        faint: It moves logits by little more than rounding does in bfloat16, or by less.
        settings: Attributes that the planted modules get.
    """

    name: str
    classes: dict[str, type[nn.Module]]
    cause: str | None
    place: str | None
    dtypes: tuple[torch.dtype, ...] = DTYPES
    max_new_tokens: int = 4
    faint: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def plant(self, model: PreTrainedModel) -> None:
        """Changes the classes of the model's modules.

        Raises:
            ValueError: A pattern matches no module.
        """
        for pattern, planted in self.classes.items():
            modules = [module for name, module in model.named_modules() if re.fullmatch(pattern, name)]
            if not modules:
                raise ValueError(f"no module matches {pattern}")
            for module in modules:
                module.__class__ = planted
                for name, value in self.settings.items():
                    setattr(module, name, value)


_MLP, _DEEP_MLP = r"model\.layers\.12\.mlp", r"model\.layers\.20\.mlp"

FAULTS = (
    Fault("mask ignored", {"model": MaskIgnored}, "PAD304", _FIRST_ATTENTION),
    Fault("mask one pad short", {"model": OnePadShort}, "PAD301", _FIRST_ATTENTION),
    Fault(
        "mask one pad short in batches of three, while decoding",
        {"model": OnePadShortInBatchesOfThree},
        "PAD303",
        _FIRST_ATTENTION,
    ),
    Fault(
        "mask dropped while decoding",
        {"model": MaskLostWhileDecoding},
        "PAD303",
        _FIRST_ATTENTION,
        settings={"decoded": 0},
    ),
    Fault(
        "mask lost from the sixth new token on",
        {"model": MaskLostWhileDecoding},
        "PAD303",
        _FIRST_ATTENTION,
        max_new_tokens=7,
        settings={"decoded": 4},
    ),
    Fault("first slot always seen", {"model": FirstSlotSeen}, "PAD301", _FIRST_ATTENTION),
    Fault("mask of the first row for all", {"model": MaskOfTheFirstRow}, "PAD206", _FIRST_ATTENTION),
    Fault("soft mask", {"model": SoftMask}, "PAD301", _FIRST_ATTENTION, settings={"number": -6.0}),
    Fault(
        "soft mask in one layer",
        {"model": TellsLayersOfPads, r"model\.layers\.7\.self_attn": SoftMaskInOneLayer},
        "PAD301",
        "model.layers.7.self_attn",
        faint=True,
        settings={"number": -4.0},
    ),
    Fault("attention in blocks of 4 slots", {"model": BlocksOfSlots}, "PAD305", _FIRST_ATTENTION, settings={"size": 4}),
    # Blocks of 8 do no harm after 9, 12 and 13 pads, which these prompts have. After other pad counts they do.
    Fault("attention in blocks of 8 slots", {"model": BlocksOfSlots}, "PAD305", None, settings={"size": 8}),
    Fault("rotary positions by slot while decoding", {"model": SlotsWhileDecoding}, "PAD303", "model"),
    Fault("positions of padded rows doubled", {"": DoublesPositions}, None, DoublesPositions.__name__),
    Fault("embeddings normalised over all slots", {"model": NormOverSlots}, "PAD301", "model"),
    Fault(
        "rows see 1 % of their neighbours",
        {_MLP: SeesNeighbours},
        "PAD206",
        "model.layers.12.mlp",
        faint=True,
        settings={"share": 0.01},
    ),
    Fault(
        "rows see 0.1 % of their neighbours",
        {_DEEP_MLP: SeesNeighbours},
        "PAD206",
        "model.layers.20.mlp",
        faint=True,
        settings={"share": 0.001},
    ),
    Fault(
        "MLP scaled by the share of real tokens",
        {"model": TellsLayersOfPads, _MLP: ScaledByRealTokens},
        "PAD305",
        "model.layers.12.mlp",
        faint=True,
        settings={"share": 0.1},
    ),
    Fault(
        "right-padded rows read a pad",
        {"model": TellsLayersOfPads, _MLP: ReadsThePadBehind},
        "PAD402",
        "model.layers.12.mlp",
        faint=True,
        settings={"share": 0.05},
    ),
    Fault(
        "16 bit: hidden states of padded rows rounded coarsely",
        {"model": TellsLayersOfPads, r"model\.layers\.1[2-5]": RoundsPaddedRows},
        None,
        None,
        _HALF,
        max_new_tokens=20,
        faint=True,
    ),
    Fault(
        "16 bit: attention scores of padded rows rounded coarsely",
        {"model": TellsLayersOfPads, r"model\.layers\.\d*[02468]\.self_attn": CoarseScores},
        None,
        None,
        _HALF,
        max_new_tokens=20,
        faint=True,
    ),
)
