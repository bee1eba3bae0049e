"""Faults planted over the real weights of a Llama: subclasses of its modules whose forward() does one thing wrong.

Each class takes the place of the module's own, so that the weights stay. `FAULTS` says what padcheck must say of each.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM, LlamaModel, PreTrainedModel
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaDecoderLayer,
    LlamaMLP,
    apply_rotary_pos_emb,
    repeat_kv,
)

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_HALF = (torch.bfloat16, torch.float16)
_FIRST_ATTENTION = "model.layers.0.self_attn"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: What is wrong.
        classes: The class that takes a module's place, by a pattern of the module's name; "" is the model itself.
        cause: The code that names it; None if none does.
        place: The module that is to be named; None if nothing is far enough off to be followed.
        dtypes: Where the fault exists. In the others the model is clean.
        faint: Moves logits by little more than rounding does in bfloat16, or by less.
        max_new_tokens: As many as it takes to see the fault.
        settings: Attributes that the planted modules get.
    """

    name: str
    classes: dict[str, type[nn.Module]]
    cause: str | None
    place: str | None
    dtypes: tuple[torch.dtype, ...] = DTYPES
    max_new_tokens: int = 6
    faint: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def plant(self, model: PreTrainedModel) -> None:
        """Changes the classes of the model's modules.

        Raises:
            ValueError: A pattern fits no module.
        """
        for pattern, planted in self.classes.items():
            modules = [module for name, module in model.named_modules() if re.fullmatch(pattern, name)]
            if not modules:
                raise ValueError(f"no module is named {pattern}")
            for module in modules:
                module.__class__ = planted
                for name, value in self.settings.items():
                    setattr(module, name, value)


def _past(kwargs: dict[str, Any]) -> int:
    cache = kwargs.get("past_key_values")
    return 0 if cache is None else cache.get_seq_length()


def _slots(input_ids: torch.Tensor, mask: torch.Tensor | None, kwargs: dict[str, Any]) -> torch.Tensor:
    """True where a slot of the cache or of the input is real, (rows, past + new)."""
    if mask is None:
        return torch.ones(len(input_ids), _past(kwargs) + input_ids.shape[1], dtype=torch.bool)
    return mask.bool()


def _causal(real: torch.Tensor) -> torch.Tensor:
    """True where a slot may look if pads do not count, (rows, past + new, past + new)."""
    return torch.ones(len(real), real.shape[1], real.shape[1], dtype=torch.bool).tril()


def _added(numbers: torch.Tensor, num_new: int, dtype: torch.dtype) -> torch.Tensor:
    """A mask (rows, 1, new, past + new) that attention adds to the scores of the new slots."""
    return numbers[:, None, -num_new:].clamp_min(torch.finfo(dtype).min).to(dtype)


def _hidden(may_attend: torch.Tensor, otherwise: float = -torch.inf) -> torch.Tensor:
    return torch.zeros(may_attend.shape).masked_fill(~may_attend, otherwise)


# Masks


class MaskIgnored(LlamaModel):
    """It takes attention_mask and does not pass it on."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        return super().forward(input_ids, attention_mask=None, **kwargs)


class OnePadShort(LlamaModel):
    """The mask is shifted by one slot: the last pad counts as real."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        return super().forward(input_ids, attention_mask=_one_short(real), **kwargs)


class OnePadShortInBatchesOfThree(LlamaModel):
    """The same, but only in batches of three rows and more that are padded on the left, and while decoding."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        if len(real) >= 3 and _past(kwargs) and not real[:, 0].all():
            attention_mask = _one_short(real)
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


def _one_short(real: torch.Tensor) -> torch.Tensor:
    return torch.cat([real[:, 1:], real[:, -1:]], dim=1).long()


class MaskLostWhileDecoding(LlamaModel):
    """Behind so many decoded tokens, new ones see the whole cache."""

    decoded: int

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        past = _past(kwargs)
        if past == 0:
            self.prompt_width = input_ids.shape[1]
        elif past - self.prompt_width >= self.decoded:
            attention_mask = None
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


class FirstSlotSeen(LlamaModel):
    """The first slot is an attention sink for every row, and that is a pad."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        seen = torch.cat([torch.ones_like(real[:, :1]), real[:, 1:]], dim=1).long()
        return super().forward(input_ids, attention_mask=seen, **kwargs)


class MaskOfTheFirstRow(LlamaModel):
    """The first row's mask counts for all rows."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        return super().forward(input_ids, attention_mask=real[:1].expand_as(real).long(), **kwargs)


class SoftMask(LlamaModel):
    """A number is added to the scores of pads that is too small to hide them."""

    number: float

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        numbers = _hidden(_causal(real)) + _hidden(real, self.number)[:, None]
        mask = _added(numbers, input_ids.shape[1], self.embed_tokens(input_ids[:, :1]).dtype)
        return super().forward(input_ids, attention_mask=mask, **kwargs)


class BlocksOfSlots(LlamaModel):
    """Attention sees its own block and the one before, and blocks begin at multiples of slots (GPT-Neo, Llama 4)."""

    size: int

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        block = torch.arange(real.shape[1]) // self.size
        near = block[:, None] - block <= 1
        numbers = _hidden(_causal(real) & near & real[:, None])
        mask = _added(numbers, input_ids.shape[1], self.embed_tokens(input_ids[:, :1]).dtype)
        return super().forward(input_ids, attention_mask=mask, **kwargs)


class TellsLayersOfPads(LlamaModel):
    """Right by itself: its layers can see which slots are real, as kernels do that are given the lengths."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = _slots(input_ids, attention_mask, kwargs)
        for module in self.layers.modules():
            module.real = real
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


class SoftMaskInOneLayer(LlamaAttention):
    """A number is added to the scores of pads that is too small to hide them."""

    number: float
    real: torch.Tensor

    def forward(
        self, hidden_states: torch.Tensor, position_embeddings: Any = None, attention_mask: Any = None, **kwargs: Any
    ) -> Any:
        numbers = _hidden(_causal(self.real)) + _hidden(self.real, self.number)[:, None]
        mask = _added(numbers, hidden_states.shape[1], hidden_states.dtype)
        return super().forward(hidden_states, position_embeddings, mask, **kwargs)


# Positions


class SlotsWhileDecoding(LlamaModel):
    """The position of a new token is the length of the cache, pads included."""

    def forward(self, input_ids: torch.Tensor, position_ids: Any = None, **kwargs: Any) -> Any:
        past = _past(kwargs)
        if past:
            position_ids = torch.arange(past, past + input_ids.shape[1]).expand_as(input_ids)
        return super().forward(input_ids, position_ids=position_ids, **kwargs)


class DoublesPositions(LlamaForCausalLM):
    """The positions of rows with pads are multiplied by two."""

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, position_ids: Any = None, **kwargs: Any
    ) -> Any:
        if position_ids is not None:
            padded = ~_slots(input_ids, attention_mask, kwargs).all(dim=1)
            position_ids = position_ids * (1 + padded[:, None].long())
        return super().forward(input_ids, attention_mask, position_ids, **kwargs)


# States, and what layers do with rows


class NormOverSlots(LlamaModel):
    """Embeddings are divided by their norm over all slots so far, pads included."""

    def forward(self, input_ids: torch.Tensor, inputs_embeds: None = None, **kwargs: Any) -> Any:
        embeddings = self.embed_tokens(input_ids)
        if _past(kwargs) == 0:
            self.sums, self.count = embeddings.new_zeros(len(input_ids), 1), 0
        sums = self.sums + embeddings.square().mean(dim=-1).cumsum(dim=1)  # (rows, new)
        counts = self.count + torch.arange(1, input_ids.shape[1] + 1)
        self.sums, self.count = sums[:, -1:], int(counts[-1])
        norms = (sums / counts).sqrt()[..., None].to(embeddings.dtype)
        usual = self.embed_tokens.weight.float().square().mean().sqrt().to(embeddings.dtype)
        return super().forward(inputs_embeds=embeddings / norms * usual, **kwargs)


class SeesNeighbours(LlamaMLP):
    """A small share of its output is the mean over the rows of the batch."""

    share: float

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output = super().forward(x)
        return output + self.share * (output.mean(dim=0, keepdim=True) - output)


class ScaledByRealTokens(LlamaMLP):
    """Its output is scaled by the share of real tokens in the row."""

    share: float
    real: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads = 1 - self.real.to(x.dtype).mean(dim=1)
        return super().forward(x) * (1 - self.share * pads)[:, None, None]


class ReadsThePadBehind(LlamaMLP):
    """The last real token of a right-padded row reads a little of the pad behind it, as with a shifted kernel."""

    share: float
    real: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output, real = super().forward(x), self.real[:, -x.shape[1] :]
        reads = real[:, :-1] & ~real[:, 1:]
        behind = torch.where(reads[..., None], output[:, 1:], 0)
        return output + self.share * torch.cat([behind, torch.zeros_like(output[:, :1])], dim=1)


# What only 16 bit has

_STEPS = {torch.bfloat16: 2**5, torch.float16: 2**8}
"""Of a mantissa between 0.5 and 1: 5 and 8 significant bits in place of 8 and 11."""

_OFFSET = 32.0
"""Scores lie within about 10; at 32 neighbouring numbers are 0.25 apart in bfloat16, 0.03 in float16."""


class RoundsPaddedRows(LlamaDecoderLayer):
    """In 16 bit it rounds the hidden states of rows with pads to fewer bits than the dtype has."""

    real: torch.Tensor

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        output = super().forward(hidden_states, *args, **kwargs)
        if output.dtype not in _HALF:
            return output
        mantissa, exponent = torch.frexp(output.float())
        steps = _STEPS[output.dtype]
        rounded = torch.ldexp((mantissa * steps).round() / steps, exponent).to(output.dtype)
        return torch.where(self.real.all(dim=1)[:, None, None], output, rounded)


class CoarseScores(LlamaAttention):
    """In 16 bit the scores of rows with pads are rounded as if a larger number had been added and taken off again."""

    real: torch.Tensor

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: Any = None,
        attention_mask: Any = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Any:
        rows, columns, _ = hidden_states.shape
        projected = (project(hidden_states) for project in (self.q_proj, self.k_proj, self.v_proj))
        query, key, value = (part.view(rows, columns, -1, self.head_dim).transpose(1, 2) for part in projected)
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        key, value = (repeat_kv(part, self.num_key_value_groups) for part in (key, value))
        scores = query @ key.transpose(2, 3) * self.scaling
        if scores.dtype in _HALF:
            coarse = scores + _OFFSET - _OFFSET
            scores = torch.where(self.real.all(dim=1)[:, None, None, None], scores, coarse)
        scores = scores + _added(_hidden(_causal(self.real) & self.real[:, None]), columns, scores.dtype)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        mixed = (weights @ value).transpose(1, 2).reshape(rows, columns, -1)
        return self.o_proj(mixed), weights


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
        max_new_tokens=10,
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
    Fault("attention in blocks of 8 slots", {"model": BlocksOfSlots}, "PAD305", _FIRST_ATTENTION, settings={"size": 8}),
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
