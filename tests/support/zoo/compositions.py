"""One prompt, the needle, in many different batches: its output must not depend on the other prompts.

vLLM tests batch invariance in the same way.
"""

import random
from dataclasses import dataclass

from zoo.comparing import Encoded
from zoo.families import BOS, VOCAB_SIZE


def _prompt(draw: random.Random, length: int) -> tuple[int, ...]:
    return (BOS, *(draw.randrange(4, VOCAB_SIZE) for _ in range(length - 1)))


NEEDLE = _prompt(random.Random(0), 9)
_LENGTHS = [length for length in range(2, 18) if length != len(NEEDLE)]
"""Lengths of the neighbours. None equals the needle's, so every batch has a padded row."""


@dataclass(frozen=True)
class Composition:
    """A batch with the needle in it.

    Attributes:
        prompts: Token ids of all rows.
        place: The row of the needle.
    """

    prompts: Encoded
    place: int

    def __str__(self) -> str:
        return "-".join(f"*{len(ids)}" if row == self.place else str(len(ids)) for row, ids in enumerate(self.prompts))


def _composed(seed: int, size: int) -> Composition:
    draw = random.Random(seed)
    prompts = [_prompt(draw, draw.choice(_LENGTHS)) for _ in range(size - 1)]
    place = draw.randrange(size)
    prompts.insert(place, NEEDLE)
    return Composition(tuple(prompts), place)


COMPOSITIONS = tuple(_composed(seed, 2 + seed % 7) for seed in range(14))
"""Two of each size from 2 to 8."""
