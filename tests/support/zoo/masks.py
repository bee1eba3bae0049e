"""Faults of the attention mask."""

import torch

from zoo.planting import Arguments, Call, Clean, Planted, planted

_BLOCK = 4


def ignored(call: Call) -> Arguments:
    """attention_mask is accepted but not passed on; attention stays causal (transformers#41790)."""
    return {"attention_mask": None}


def dropped_while_decoding(call: Call) -> Arguments:
    """The mask hides pads from the prompt, and new tokens see the whole cache."""
    return {"attention_mask": torch.ones_like(call.mask).long()} if call.past else {}


def one_pad_short(call: Call) -> Arguments:
    """The mask is shifted by one column, so the last pad counts as real."""
    return {"attention_mask": torch.cat([call.mask[:, 1:], call.mask[:, -1:]], dim=1).long()}


def one_token_long(call: Call) -> Arguments:
    """The mask is shifted to the other side, so the first real token of a padded row is hidden."""
    return {"attention_mask": torch.cat([call.mask[:, :1], call.mask[:, :-1]], dim=1).long()}


def soft(call: Call) -> Arguments:
    """The number added to the scores of pads is too small to hide them."""
    future = torch.where(call.causal, -1.0, torch.finfo(call.base.dtype).min)
    return call.additive_mask(call.causal & call.mask[:, None], future)


def first_slot_seen(call: Call) -> Arguments:
    """The attention sink is slot 0 (StreamingLLM), even if that is a pad."""
    return {"attention_mask": torch.cat([torch.ones_like(call.mask[:, :1]), call.mask[:, 1:]], dim=1).long()}


def three_pads_at_most(call: Call) -> Arguments:
    """Only three pads are hidden, like the width of a short convolution."""
    return {"attention_mask": (call.mask | ((~call.mask).cumsum(dim=1) > 3)).long()}


def blocks_of_slots(call: Call) -> Arguments:
    """Attention sees its own block and the one before, and blocks start at fixed slots (Llama 4, GPT-Neo)."""
    return _blocks(call, call.slots)


def blocks_of_positions(call: Call) -> Arguments:
    """The same with blocks of positions, which is right."""
    return _blocks(call, call.positions)


def _blocks(call: Call, numbers: torch.Tensor) -> Arguments:
    block = numbers // _BLOCK
    near = block[:, call.past :, None] - block[:, None] <= 1
    return call.additive_mask(call.causal & near & call.mask[:, None], torch.finfo(call.base.dtype).min)


def ignored_by_sdpa(call: Call) -> Arguments:
    """The fast path uses is_causal instead of the mask."""
    return ignored(call) if call.base.config._attn_implementation == "sdpa" else {}


def number_in_eager(call: Call) -> Arguments:
    """Eager attention adds a mask of 0 and 1 to the scores. Another implementation would treat it as booleans."""
    if call.base.config._attn_implementation != "eager":
        return {}
    future = torch.where(call.causal, 0.0, torch.finfo(call.base.dtype).min)
    hidden = torch.where(call.causal & call.mask[:, None], 1.0, future)
    return call.additive_mask(torch.zeros_like(call.causal), hidden)


FAULTS = (
    Planted("mask ignored", planted(ignored), "PAD304"),
    Planted("mask ignored by mamba", planted(ignored, "mamba"), "PAD304"),
    Planted("mask dropped while decoding", planted(dropped_while_decoding), "PAD303"),
    Planted("mask one pad short", planted(one_pad_short), "PAD301"),
    Planted("mask one token long", planted(one_token_long), None),
    Planted("soft mask", planted(soft), "PAD301"),
    Planted("first slot always seen", planted(first_slot_seen), "PAD301"),
    Planted("three pads hidden at most", planted(three_pads_at_most), "PAD205", also=frozenset({"PAD301"})),
    Planted("attention in blocks of slots", planted(blocks_of_slots), "PAD305"),
    Planted("mask ignored by sdpa", planted(ignored_by_sdpa, attn_implementation="sdpa"), "PAD304"),
    Planted("mask added as a number by eager", planted(number_in_eager, attn_implementation="eager"), "PAD301"),
)
HARMLESS = (
    Clean("attention in blocks of positions", planted(blocks_of_positions)),
    Clean("mask ignored by sdpa, run with eager", planted(ignored_by_sdpa, attn_implementation="eager")),
    Clean("mask added as a number by eager, run with sdpa", planted(number_in_eager, attn_implementation="sdpa")),
)
