"""Faults that produce NaN, and one that reads the right numbers from the wrong place."""

from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.core.verdicts import Verdict
from zoo.families import build_family
from zoo.planting import Arguments, Call, Planted, planted


def minus_infinity(call: Call) -> Arguments:
    """The query of a pad may attend to nothing. Softmax over -inf is NaN, and 0 * NaN is NaN (transformers#27179)."""
    return call.additive_mask(call.causal & call.mask[:, None], float("-inf"))


def beyond_half(call: Call) -> Arguments:
    """The same with a mask of -1e9, which float16 turns into -inf."""
    return call.additive_mask(call.causal & call.mask[:, None], -1e9)


def reads_by_count(dtype: torch.dtype) -> PreTrainedModel:
    """The first token is read at slot `mask.sum() - 1`, which is the last real slot only in a right-padded row."""
    model = build_family(dtype)

    def read(_base: torch.nn.Module, _args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        hidden, mask = output.last_hidden_state, kwargs["attention_mask"]  # (batch, new, hidden_size)
        if mask is not None and hidden.shape[1] == mask.shape[1]:
            hidden[:, -1] = hidden[torch.arange(len(hidden)), mask.sum(dim=1) - 1]

    model.model.register_forward_hook(read, with_kwargs=True)
    return model


FAULTS = (
    Planted(
        "fully masked rows",
        planted(minus_infinity, attn_implementation="eager"),
        "PAD204",
        left=Verdict.NON_FINITE,
    ),
    Planted(
        "fully masked rows in float16",
        planted(beyond_half, attn_implementation="eager"),
        "PAD204",
        left=Verdict.NON_FINITE,
        dtypes=(torch.float16,),
    ),
    Planted("first token read by count", reads_by_count, "PAD301"),
)
