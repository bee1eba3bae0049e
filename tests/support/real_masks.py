"""Faults of the attention mask, as subclasses of Llama's modules: each forward() does one thing wrong."""

from typing import Any

import torch
from transformers import LlamaModel
from transformers.models.llama.modeling_llama import LlamaAttention


def past_columns(kwargs: dict[str, Any]) -> int:
    """How many columns the cache among the arguments holds."""
    cache = kwargs.get("past_key_values")
    return 0 if cache is None else cache.get_seq_length()


def real_slots(input_ids: torch.Tensor, mask: torch.Tensor | None, kwargs: dict[str, Any]) -> torch.Tensor:
    """True where a slot of the cache or of the input is real, (rows, past + new)."""
    if mask is None:
        return torch.ones(len(input_ids), past_columns(kwargs) + input_ids.shape[1], dtype=torch.bool)
    return mask.bool()


def causal(real: torch.Tensor) -> torch.Tensor:
    """True where a slot may look if pads do not count, (rows, past + new, past + new)."""
    return torch.ones(len(real), real.shape[1], real.shape[1], dtype=torch.bool).tril()


def added(numbers: torch.Tensor, num_new: int, dtype: torch.dtype) -> torch.Tensor:
    """A mask (rows, 1, new, past + new) that attention adds to the scores of the new slots."""
    return numbers[:, None, -num_new:].clamp_min(torch.finfo(dtype).min).to(dtype)


def hidden(may_attend: torch.Tensor, otherwise: float = -torch.inf) -> torch.Tensor:
    """What is added to a score: 0 where a slot may be seen."""
    return torch.zeros(may_attend.shape).masked_fill(~may_attend, otherwise)


class MaskIgnored(LlamaModel):
    """It takes attention_mask and does not pass it on."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        return super().forward(input_ids, attention_mask=None, **kwargs)


class OnePadShort(LlamaModel):
    """The mask is shifted by one slot: the last pad counts as real."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        return super().forward(input_ids, attention_mask=_one_short(real), **kwargs)


class OnePadShortInBatchesOfThree(LlamaModel):
    """The same, but only in batches of three rows and more that are padded on the left, and while decoding."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        if len(real) >= 3 and past_columns(kwargs) and not real[:, 0].all():
            attention_mask = _one_short(real)
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


def _one_short(real: torch.Tensor) -> torch.Tensor:
    return torch.cat([real[:, 1:], real[:, -1:]], dim=1).long()


class MaskLostWhileDecoding(LlamaModel):
    """Behind so many decoded tokens, new ones see the whole cache."""

    decoded: int

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        past = past_columns(kwargs)
        if past == 0:
            self.prompt_width = input_ids.shape[1]
        elif past - self.prompt_width >= self.decoded:
            attention_mask = None
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


class FirstSlotSeen(LlamaModel):
    """The first slot is an attention sink for every row, and that is a pad."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        seen = torch.cat([torch.ones_like(real[:, :1]), real[:, 1:]], dim=1).long()
        return super().forward(input_ids, attention_mask=seen, **kwargs)


class MaskOfTheFirstRow(LlamaModel):
    """The first row's mask counts for all rows."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        return super().forward(input_ids, attention_mask=real[:1].expand_as(real).long(), **kwargs)


class SoftMask(LlamaModel):
    """A number is added to the scores of pads that is too small to hide them."""

    number: float

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        numbers = hidden(causal(real)) + hidden(real, self.number)[:, None]
        mask = added(numbers, input_ids.shape[1], self.embed_tokens(input_ids[:, :1]).dtype)
        return super().forward(input_ids, attention_mask=mask, **kwargs)


class BlocksOfSlots(LlamaModel):
    """Attention sees its own block and the one before, and blocks begin at multiples of slots (GPT-Neo, Llama 4)."""

    size: int

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        block = torch.arange(real.shape[1]) // self.size
        near = block[:, None] - block <= 1
        numbers = hidden(causal(real) & near & real[:, None])
        mask = added(numbers, input_ids.shape[1], self.embed_tokens(input_ids[:, :1]).dtype)
        return super().forward(input_ids, attention_mask=mask, **kwargs)


class TellsLayersOfPads(LlamaModel):
    """Right by itself: its layers can see which slots are real, as kernels do that are given the lengths."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
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
        numbers = hidden(causal(self.real)) + hidden(self.real, self.number)[:, None]
        mask = added(numbers, hidden_states.shape[1], hidden_states.dtype)
        return super().forward(hidden_states, position_embeddings, mask, **kwargs)
