"""Faults that depend on more than the row itself: on other rows, on the number of the call, or on an earlier call.

A kernel has several branches. The batch decides which branch runs: whether it has pads, on which side, and how many
rows it has. Here one branch is wrong, as if it were never tested. A batch that takes another branch is right.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from zoo.families import BOS, VOCAB_SIZE, Build, build_family
from zoo.planting import Arguments, Call, Fault, Planted, planted

_NEXT_ROW = 0.02
"""The share of the next row's hidden state that is added to a row."""


def _prompts(*lengths: int) -> tuple[tuple[int, ...], ...]:
    return tuple(
        (BOS, *(4 + (7 * number + 5 * column) % (VOCAB_SIZE - 4) for column in range(length - 1)))
        for number, length in enumerate(lengths)
    )


_LONGEST_FIRST = {"encoded": _prompts(12, 5, 9, 4)}
_LONGEST_LAST = {"encoded": _prompts(4, 9, 5, 12)}
_LONG_THEN_SHORT = {"encoded": _prompts(12, 4)}
_SIX_PROMPTS = {"encoded": _prompts(9, 5, 12, 7, 4, 10)}
"""The longest prompt is among the first four."""

Rows = Callable[[Call], torch.Tensor]
"""True for the rows that a call gets wrong, (batch,)."""


def misread(rows: Rows) -> Fault:
    """The features of these rows' embeddings are rotated by one."""

    def fault(call: Call) -> Arguments:
        inputs, wrong = call.embeddings, rows(call)[:, None, None]
        return {"input_ids": None, "inputs_embeds": torch.where(wrong, inputs.roll(1, dims=-1), inputs)}

    return fault


def padded_on_the_left_while_decoding(call: Call) -> torch.Tensor:
    """A decoding kernel for three or more rows that start at different slots; not used if a pad follows a token."""
    begins_late = (call.mask[:, 1:] >= call.mask[:, :-1]).all()
    return ~call.mask.all(dim=1) & begins_late & (call.past > 0 and len(call.mask) > 2)


def unpadded_batch(call: Call) -> torch.Tensor:
    """Two or more rows without pads take a fast path without a mask."""
    return call.mask.all().expand(len(call.mask)) & (len(call.mask) > 1)


def alone_from_the_cache(call: Call) -> torch.Tensor:
    """One new token of one row is a matrix times a vector, which has a special kernel."""
    return call.mask.new_full((len(call.mask),), call.past > 0 and len(call.mask) == 1)


def beyond_the_fourth(call: Call) -> torch.Tensor:
    """A kernel works on blocks of four rows, and all blocks except the first are wrong."""
    return torch.arange(len(call.mask), device=call.mask.device) >= 4


def ends_in_a_pad(call: Call) -> torch.Tensor:
    """Only right-padded rows of a batch are packed for a kernel."""
    return ~call.mask[:, -1]


def beside_a_row_that_ends_in_a_pad(call: Call) -> torch.Tensor:
    """The whole batch is packed if one row is padded on the right."""
    return (~call.mask[:, -1]).any().expand(len(call.mask))


def mask_of_the_first_row(call: Call) -> Arguments:
    """The mask of the first row is broadcast over the batch."""
    return {"attention_mask": call.mask[:1].expand_as(call.mask).long()}


def pads_of_the_first_row(call: Call) -> Arguments:
    """Positions are the slot minus the number of pads of the first row."""
    return _positions_behind(call, _num_pads(call)[:1])


def most_pads(call: Call) -> Arguments:
    """Positions are the slot minus the number of pads of the row with the most pads."""
    return _positions_behind(call, _num_pads(call).max())


def _num_pads(call: Call) -> torch.Tensor:
    return (~call.mask).sum(dim=1, keepdim=True)  # (batch, 1)


def _positions_behind(call: Call, num_pads: torch.Tensor) -> Arguments:
    return {"position_ids": (call.slots - num_pads).clamp_min(0)[:, call.past :]}


@dataclass
class MaskLost:
    """The mask has room for the prompt and a few new tokens. After that it is dropped."""

    num_tokens: int
    """The number of new tokens that are right."""
    width: int = field(default=0, init=False)

    def __call__(self, call: Call) -> Arguments:
        if call.past == 0:
            self.width = call.mask.shape[1]
            return {}
        # The prompt gives the first new token, and each later call gives one more.
        number = call.past - self.width + 2
        return {"attention_mask": torch.ones_like(call.mask).long()} if number > self.num_tokens else {}


@dataclass
class LeftOver:
    """A buffer with the mean input of a call is not cleared, and leaks into the next prompt (a stale cache)."""

    share: float
    """The share of the buffer that is added."""
    buffer: torch.Tensor | None = field(default=None, init=False)

    def __call__(self, call: Call) -> Arguments:
        inputs, before = call.embeddings, self.buffer
        self.buffer = inputs.mean(dim=(0, 1))
        if call.past or before is None:
            return {}
        return {"input_ids": None, "inputs_embeds": inputs + self.share * before.to(inputs.dtype)}


@dataclass
class MeanOverTheBatch:
    """The mean of all slots of a batch is subtracted from every embedding (a norm over the wrong dimensions)."""

    mean: torch.Tensor | None = field(default=None, init=False)

    def __call__(self, call: Call) -> Arguments:
        if call.past == 0 or self.mean is None:
            self.mean = call.embeddings.mean(dim=(0, 1))
        return {"input_ids": None, "inputs_embeds": call.embeddings - self.mean}


def left_over(share: float) -> Build:
    """Builds a model with an empty buffer, so models do not affect each other."""

    def build(dtype: torch.dtype) -> PreTrainedModel:
        return planted(LeftOver(share))(dtype)

    return build


def next_row_leaks(dtype: torch.dtype) -> PreTrainedModel:
    """Each row's last hidden state contains a little of the next row's (a buffer that is read past its end)."""
    model = build_family(dtype)

    def leak(_base: torch.nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        hidden = output.last_hidden_state  # (batch, new, hidden_size)
        hidden[:-1] += _NEXT_ROW * hidden[1:]

    model.model.register_forward_hook(leak)
    return model


FAULTS = (
    Planted("left-padded batch of three while decoding", planted(misread(padded_on_the_left_while_decoding)), "PAD303"),
    Planted("batch without pads", planted(misread(unpadded_batch)), "PAD206", left=None, by_neighbours=True),
    Planted("prompt alone from the cache", planted(misread(alone_from_the_cache)), "PAD208"),
    Planted("mask of the first row", planted(mask_of_the_first_row), "PAD206", by_neighbours=True),
    Planted(
        "mask of the first row, the longest",
        planted(mask_of_the_first_row),
        "PAD206",
        by_neighbours=True,
        settings=_LONGEST_FIRST,
    ),
    Planted("pads of the first row", planted(pads_of_the_first_row, "gpt2"), "PAD206", by_neighbours=True),
    Planted(
        "pads of the first row, the longest",
        planted(pads_of_the_first_row, "gpt2"),
        "PAD206",
        by_neighbours=True,
        settings=_LONGEST_FIRST,
    ),
    Planted("pads of the shortest row", planted(most_pads, "gpt2"), "PAD206", by_neighbours=True),
    Planted(
        "rows beyond the fourth",
        planted(misread(beyond_the_fourth)),
        "PAD206",
        by_neighbours=True,
        settings=_SIX_PROMPTS,
    ),
    Planted(
        "mask lost at the sixth new token", planted(MaskLost(num_tokens=5)), "PAD303", settings={"max_new_tokens": 8}
    ),
    Planted("rows that end in a pad", planted(misread(ends_in_a_pad)), "PAD402", left=None),
    Planted(
        "next to a row that ends in a pad",
        planted(misread(beside_a_row_that_ends_in_a_pad)),
        "PAD206",
        left=None,
        by_neighbours=True,
    ),
    Planted("left over from the call before", left_over(1.0), "PAD206", by_neighbours=True),
    Planted(
        "little left over from the call before",
        left_over(0.1),
        "PAD206",
        by_neighbours=True,
        settings=_LONG_THEN_SHORT,
    ),
    Planted(
        "next row leaks",
        next_row_leaks,
        "PAD206",
        by_neighbours=True,
        drowns_in={torch.bfloat16: "PAD206"},
    ),
    Planted(
        "next row leaks, the longest last",
        next_row_leaks,
        "PAD206",
        by_neighbours=True,
        drowns_in={torch.bfloat16: "PAD206"},
        settings=_LONGEST_LAST,
    ),
    Planted("mean over the batch", planted(MeanOverTheBatch()), "PAD206", by_neighbours=True),
)
