"""The definition of padding, in pure Python: padcheck compares tokenizers and generate() with it."""

from typing import NamedTuple

from padcheck.core.facts import PaddingSide


class PaddedIds(NamedTuple):
    """A padded prompt and its attention mask: 1 for a real token, 0 for a pad."""

    input_ids: tuple[int, ...]
    attention_mask: tuple[int, ...]


def pad_ids(input_ids: tuple[int, ...], width: int, pad_token_id: int, side: PaddingSide) -> PaddedIds:
    """Pads a prompt to `width` tokens on one side."""
    pads = width - len(input_ids)
    padding, zeros, ones = (pad_token_id,) * pads, (0,) * pads, (1,) * len(input_ids)
    if side == "left":
        return PaddedIds(padding + input_ids, zeros + ones)
    return PaddedIds(input_ids + padding, ones + zeros)


def position_ids_from_mask(attention_mask: tuple[int, ...]) -> tuple[int, ...]:
    """The position of each token by the textbook formula: `cumsum(mask) - 1`, and 1 for a pad."""
    position_ids, seen = [], 0
    for real in attention_mask:
        seen += real
        position_ids.append(seen - 1 if real else 1)
    return tuple(position_ids)
