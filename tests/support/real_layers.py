"""Faults of positions, states, layers and rounding, as subclasses of Llama's modules."""

from typing import Any

import torch
from real_masks import added, causal, hidden, past_columns, real_slots
from transformers import LlamaForCausalLM, LlamaModel
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaDecoderLayer,
    LlamaMLP,
    apply_rotary_pos_emb,
    repeat_kv,
)

_HALF = (torch.bfloat16, torch.float16)

# Positions


class SlotsWhileDecoding(LlamaModel):
    """The position of a new token is the length of the cache, including pads."""

    def forward(self, input_ids: torch.Tensor, position_ids: Any = None, **kwargs: Any) -> Any:
        past = past_columns(kwargs)
        if past:
            position_ids = torch.arange(past, past + input_ids.shape[1]).expand_as(input_ids)
        return super().forward(input_ids, position_ids=position_ids, **kwargs)


class DoublesPositions(LlamaForCausalLM):
    """The positions of rows with pads are multiplied by two."""

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, position_ids: Any = None, **kwargs: Any
    ) -> Any:
        if position_ids is not None:
            padded = ~real_slots(input_ids, attention_mask, kwargs).all(dim=1)
            position_ids = position_ids * (1 + padded[:, None].long())
        return super().forward(input_ids, attention_mask, position_ids, **kwargs)


# States, and layers that mix rows


class NormOverSlots(LlamaModel):
    """Embeddings are divided by their norm over all slots so far, including pads."""

    def forward(self, input_ids: torch.Tensor, inputs_embeds: None = None, **kwargs: Any) -> Any:
        embeddings = self.embed_tokens(input_ids)
        if past_columns(kwargs) == 0:
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
    """The last real token of a right-padded row reads a little of the pad after it, as if a kernel were shifted."""

    share: float
    real: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output, real = super().forward(x), self.real[:, -x.shape[1] :]
        reads = real[:, :-1] & ~real[:, 1:]
        behind = torch.where(reads[..., None], output[:, 1:], 0)
        return output + self.share * torch.cat([behind, torch.zeros_like(output[:, :1])], dim=1)


# Faults that exist only in 16 bit

_STEPS = {torch.bfloat16: 2**5, torch.float16: 2**8}
"""Steps of a mantissa between 0.5 and 1: 5 and 8 significant bits instead of 8 and 11."""

_OFFSET = 32.0
"""Scores are below about 10. At 32, neighbouring numbers are 0.25 apart in bfloat16, and 0.03 in float16."""


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
    """In 16 bit the scores of rows with pads are rounded as if a larger number were added and subtracted again."""

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
        scores = scores + added(hidden(causal(self.real) & self.real[:, None]), columns, scores.dtype)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        mixed = (weights @ value).transpose(1, 2).reshape(rows, columns, -1)
        return self.o_proj(mixed), weights
