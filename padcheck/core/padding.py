"""Padding by definition, in pure Python: what tokenizers and generate() are held against."""

from typing import NamedTuple

from padcheck.core.facts import PaddingSide


class PaddedIds(NamedTuple):
    """A prompt padded to a width, with its mask (1 = real)."""

    input_ids: tuple[int, ...]
    attention_mask: tuple[int, ...]


def pad_ids(input_ids: tuple[int, ...], width: int, pad_token_id: int, side: PaddingSide) -> PaddedIds:
    """Pads to `width` on `side`: the definition that tokenizers are held against."""
    pads = width - len(input_ids)
    padding, zeros, ones = (pad_token_id,) * pads, (0,) * pads, (1,) * len(input_ids)
    if side == "left":
        return PaddedIds(padding + input_ids, zeros + ones)
    return PaddedIds(input_ids + padding, ones + zeros)


def position_ids_from_mask(attention_mask: tuple[int, ...]) -> tuple[int, ...]:
    """The textbook formula: `cumsum(mask) - 1`, pads filled with 1."""
    position_ids, seen = [], 0
    for real in attention_mask:
        seen += real
        position_ids.append(seen - 1 if real else 1)
    return tuple(position_ids)
