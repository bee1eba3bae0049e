"""Faults of values that a model carries along the sequence: recurrent states and means."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from transformers import PreTrainedModel

from zoo.families import build_family
from zoo.planting import Arguments, Call, Clean, Planted, planted

Pads = Literal["hold it", "run through it", "let it decay"]
_CHUNK = 4


@dataclass
class DecayingState:
    """Attention after a recurrent layer, as in hybrid models. The state is h = 0.8 h + x, also while decoding.

    Pads may run through the state: transformers#32677, #41790. If only the input of pads is zeroed, pads let the state
    decay. This does no harm on the left, because the state is still zero. On the right, decoding starts from the
    decayed state. A state that is reset every few slots is that of a chunked kernel.
    """

    pads: Pads
    chunks: Literal["none", "slots", "positions"] = "none"
    state: torch.Tensor | None = field(default=None, init=False)

    def __call__(self, call: Call) -> Arguments:
        numbers = {"slots": call.slots, "positions": call.positions, "none": torch.ones_like(call.slots)}[self.chunks]
        inputs, outputs = call.embeddings, []
        state = torch.zeros_like(inputs[:, 0]) if call.past == 0 or self.state is None else self.state
        for column, x in enumerate(inputs.unbind(dim=1), start=call.past):
            real = call.mask[:, column, None] | (self.pads == "run through it")
            state = state.masked_fill(numbers[:, column, None] % _CHUNK == 0, 0.0)
            held = state if self.pads == "hold it" else 0.8 * state
            state = torch.where(real, 0.8 * state + x, held)
            outputs.append(x + state)
        self.state = state
        return {"input_ids": None, "inputs_embeds": torch.stack(outputs, dim=1)}


@dataclass
class MeanOverTheSequence:
    """The mean of the prompt, pads included, is subtracted from every embedding (a norm over the sequence)."""

    mean: torch.Tensor | None = field(default=None, init=False)

    def __call__(self, call: Call) -> Arguments:
        if call.past == 0 or self.mean is None:
            self.mean = call.embeddings.mean(dim=1, keepdim=True)
        return {"input_ids": None, "inputs_embeds": call.embeddings - self.mean}


def dynamic_rope(dtype: torch.dtype) -> PreTrainedModel:
    """Not planted: dynamic NTK takes the frequencies from the longest row so far, and keeps them.

    This is LlamaRotaryEmbedding of transformers. A prompt that ran alone first had other frequencies than the batch.
    """
    return build_family(dtype, max_position_embeddings=6, rope_scaling={"rope_type": "dynamic", "factor": 4.0})


FAULTS = (
    Planted("state runs over pads", planted(DecayingState("run through it")), "PAD301"),
    Planted("state in chunks of slots", planted(DecayingState("hold it", chunks="slots")), "PAD305"),
    Planted("state decays over pads on the right", planted(DecayingState("let it decay")), "PAD202", left=None),
    Planted("mean over pads", planted(MeanOverTheSequence()), "PAD301"),
    Planted("dynamic rope", dynamic_rope, "PAD206", by_neighbours=True, drowns_in={torch.bfloat16: "PAD206"}),
)
HARMLESS = (
    Clean("state held over pads", planted(DecayingState("hold it"))),
    Clean("state in chunks of positions", planted(DecayingState("hold it", chunks="positions"))),
)
