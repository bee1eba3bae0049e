"""Faults that are not local to a row: other rows, the number of the call, or the call before decide what is wrong.

A kernel has several branches, and the batch decides which of them runs: whether there are pads, on which side, how many
rows there are. A branch that nobody tests is wrong here; a batch that takes another one is right.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from zoo.families import BOS, VOCAB_SIZE, Build, build_family
from zoo.planting import Arguments, Call, Fault, Planted, planted

_NEXT_ROW = 0.02
"""How much of the next row's hidden state a row gets."""


def _prompts(*lengths: int) -> tuple[tuple[int, ...], ...]:
    return tuple(
        (BOS, *(4 + (7 * number + 5 * column) % (VOCAB_SIZE - 4) for column in range(length - 1)))
        for number, length in enumerate(lengths)
    )


_LONGEST_FIRST = {"encoded": _prompts(12, 5, 9, 4)}
_LONGEST_LAST = {"encoded": _prompts(4, 9, 5, 12)}
_LONG_THEN_SHORT = {"encoded": _prompts(12, 4)}
_SIX_PROMPTS = {"encoded": _prompts(9, 5, 12, 7, 4, 10)}
"""The longest is among the first four."""

Rows = Callable[[Call], torch.Tensor]
"""True for the rows that a call gets wrong, (batch,)."""


def misread(rows: Rows) -> Fault:
    """The embeddings of these rows enter with their features rotated by one."""

    def fault(call: Call) -> Arguments:
        inputs, wrong = call.embeddings, rows(call)[:, None, None]
        return {"input_ids": None, "inputs_embeds": torch.where(wrong, inputs.roll(1, dims=-1), inputs)}

    return fault


def padded_on_the_left_while_decoding(call: Call) -> torch.Tensor:
    """A decoding kernel for three and more rows that begin at different slots; a pad behind a token rules it out."""
    begins_late = (call.mask[:, 1:] >= call.mask[:, :-1]).all()
    return ~call.mask.all(dim=1) & begins_late & (call.past > 0 and len(call.mask) > 2)


def unpadded_batch(call: Call) -> torch.Tensor:
    """Two or more rows whose mask has no zero take a fast path without a mask."""
    return call.mask.all().expand(len(call.mask)) & (len(call.mask) > 1)


def alone_from_the_cache(call: Call) -> torch.Tensor:
    """One new token of one row is a matrix times a vector, which has a kernel for itself."""
    return torch.full((len(call.mask),), call.past > 0 and len(call.mask) == 1)


def beyond_the_fourth(call: Call) -> torch.Tensor:
    """A kernel works on blocks of four rows, and the rows of all blocks but the first are off."""
    return torch.arange(len(call.mask)) >= 4


def ends_in_a_pad(call: Call) -> torch.Tensor:
    """The rows of a batch that were padded on the right are packed for a kernel, and the others not."""
    return ~call.mask[:, -1]


def beside_a_row_that_ends_in_a_pad(call: Call) -> torch.Tensor:
    """The whole batch is packed where one row of it was padded on the right."""
    return (~call.mask[:, -1]).any().expand(len(call.mask))


def mask_of_the_first_row(call: Call) -> Arguments:
    """The mask of the first row is broadcast over the batch."""
    return {"attention_mask": call.mask[:1].expand_as(call.mask).long()}


def pads_of_the_first_row(call: Call) -> Arguments:
    """Positions are the slot minus the number of pads, which is read off the first row."""
    return _positions_behind(call, _num_pads(call)[:1])


def most_pads(call: Call) -> Arguments:
    """Positions are the slot minus the number of pads of the row that has most of them."""
    return _positions_behind(call, _num_pads(call).max())


def _num_pads(call: Call) -> torch.Tensor:
    return (~call.mask).sum(dim=1, keepdim=True)  # (batch, 1)


def _positions_behind(call: Call, num_pads: torch.Tensor) -> Arguments:
    return {"position_ids": (call.slots - num_pads).clamp_min(0)[:, call.past :]}


@dataclass
class MaskLost:
    """The mask has room for the prompt and a few new tokens; once it is outgrown it is dropped."""

    num_tokens: int
    """How many new tokens are right."""
    width: int = field(default=0, init=False)

    def __call__(self, call: Call) -> Arguments:
        if call.past == 0:
            self.width = call.mask.shape[1]
            return {}
        # The prompt gives the first new token, and each call behind it one more.
        number = call.past - self.width + 2
        return {"attention_mask": torch.ones_like(call.mask).long()} if number > self.num_tokens else {}


@dataclass
class LeftOver:
    """A buffer with the mean input of each call is not cleared, and is added to the next prompt (a stale cache)."""

    share: float
    """How much of it is added."""
    buffer: torch.Tensor | None = field(default=None, init=False)

    def __call__(self, call: Call) -> Arguments:
        inputs, before = call.embeddings, self.buffer
        self.buffer = inputs.mean(dim=(0, 1))
        if call.past or before is None:
            return {}
        return {"input_ids": None, "inputs_embeds": inputs + self.share * before.to(inputs.dtype)}


@dataclass
class MeanOverTheBatch:
    """The mean of all slots of a batch of prompts is taken off every embedding (a norm over the wrong dimensions)."""

    mean: torch.Tensor | None = field(default=None, init=False)

    def __call__(self, call: Call) -> Arguments:
        if call.past == 0 or self.mean is None:
            self.mean = call.embeddings.mean(dim=(0, 1))
        return {"input_ids": None, "inputs_embeds": call.embeddings - self.mean}


def left_over(share: float) -> Build:
    """Builds a model with a buffer that no other model has left anything in."""

    def build(dtype: torch.dtype) -> PreTrainedModel:
        return planted(LeftOver(share))(dtype)

    return build


def next_row_leaks(dtype: torch.dtype) -> PreTrainedModel:
    """Each row's last hidden state gets a little of the next row's (a buffer that is read past its end)."""
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
        "beside a row that ends in a pad",
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
