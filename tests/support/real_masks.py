"""Faults of the attention mask, as subclasses of Llama's modules. Each forward() does one thing wrong."""

from typing import Any

import torch
from transformers import LlamaModel
from transformers.models.llama.modeling_llama import LlamaAttention


def past_columns(kwargs: dict[str, Any]) -> int:
    """The number of columns in the cache among the arguments."""
    cache = kwargs.get("past_key_values")
    return 0 if cache is None else cache.get_seq_length()


def real_slots(input_ids: torch.Tensor, mask: torch.Tensor | None, kwargs: dict[str, Any]) -> torch.Tensor:
    """True for the real slots of the cache and of the input, (rows, past + new)."""
    if mask is None:
        return torch.ones(len(input_ids), past_columns(kwargs) + input_ids.shape[1], dtype=torch.bool)
    return mask.bool()


def causal(real: torch.Tensor) -> torch.Tensor:
    """True for the slots that a slot may attend to if pads are ignored, (rows, past + new, past + new)."""
    return torch.ones(len(real), real.shape[1], real.shape[1], dtype=torch.bool).tril()


def added(numbers: torch.Tensor, num_new: int, dtype: torch.dtype) -> torch.Tensor:
    """A mask (rows, 1, new, past + new) that attention adds to the scores of the new slots."""
    return numbers[:, None, -num_new:].clamp_min(torch.finfo(dtype).min).to(dtype)


def hidden(may_attend: torch.Tensor, otherwise: float = -torch.inf) -> torch.Tensor:
    """What is added to the scores: 0 for the slots that may be attended to, `otherwise` for the others."""
    return torch.zeros(may_attend.shape).masked_fill(~may_attend, otherwise)


class MaskIgnored(LlamaModel):
    """It accepts attention_mask but does not pass it on."""

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
    """After `decoded` decoded tokens, new ones see the whole cache."""

    decoded: int

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        past = past_columns(kwargs)
        if past == 0:
            self.prompt_width = input_ids.shape[1]
        elif past - self.prompt_width >= self.decoded:
            attention_mask = None
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


class FirstSlotSeen(LlamaModel):
    """The first slot is an attention sink for every row, even if it is a pad."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        seen = torch.cat([torch.ones_like(real[:, :1]), real[:, 1:]], dim=1).long()
        return super().forward(input_ids, attention_mask=seen, **kwargs)


class MaskOfTheFirstRow(LlamaModel):
    """The mask of the first row is used for all rows."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        return super().forward(input_ids, attention_mask=real[:1].expand_as(real).long(), **kwargs)


class SoftMask(LlamaModel):
    """The number added to the scores of pads is too small to hide them."""

    number: float

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        numbers = hidden(causal(real)) + hidden(real, self.number)[:, None]
        mask = added(numbers, input_ids.shape[1], self.embed_tokens(input_ids[:, :1]).dtype)
        return super().forward(input_ids, attention_mask=mask, **kwargs)


class BlocksOfSlots(LlamaModel):
    """Attention sees its own block and the one before, and blocks start at fixed slots (GPT-Neo, Llama 4)."""

    size: int

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        block = torch.arange(real.shape[1]) // self.size
        near = block[:, None] - block <= 1
        numbers = hidden(causal(real) & near & real[:, None])
        mask = added(numbers, input_ids.shape[1], self.embed_tokens(input_ids[:, :1]).dtype)
        return super().forward(input_ids, attention_mask=mask, **kwargs)


class TellsLayersOfPads(LlamaModel):
    """Correct itself, but tells its layers which slots are real, as if kernels were given the lengths."""

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        real = real_slots(input_ids, attention_mask, kwargs)
        for module in self.layers.modules():
            module.real = real
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


class SoftMaskInOneLayer(LlamaAttention):
    """The number added to the scores of pads is too small to hide them."""

    number: float
    real: torch.Tensor

    def forward(
        self, hidden_states: torch.Tensor, position_embeddings: Any = None, attention_mask: Any = None, **kwargs: Any
    ) -> Any:
        numbers = hidden(causal(self.real)) + hidden(self.real, self.number)[:, None]
        mask = added(numbers, hidden_states.shape[1], hidden_states.dtype)
        return super().forward(hidden_states, position_embeddings, mask, **kwargs)
