"""Builds the rows of each call from the prompts: which prompts go in, and how they are padded. Plain integers only."""

import random
from dataclasses import dataclass, replace

from padcheck.core.facts import PaddingSide
from padcheck.core.padding import PaddedIds, pad_ids

Rows = list[tuple[int, PaddedIds]]
"""The rows of one call: for each row, the index of its prompt and the padded prompt. All rows have the same width."""

_FEW_PADS = 4
"""How many pads `Batch.pair` gives the shortest prompt, at least."""


@dataclass(frozen=True)
class Batch:
    """Prompts that are padded together.

    Attributes:
        prompts: Token ids, by the index of the prompt.
        width: The number of columns that prompts are padded to. `only` keeps it, even if it drops the longest prompt.
        pad_token_id: The id that pads.
        embedding_rows: The number of rows in the embedding matrix, so every id below it is valid.
        seed: The seed of the ids that replace the pads in `scrambled`.
        size: The number of prompts before the batch was narrowed to some of them.
    """

    prompts: dict[int, tuple[int, ...]]
    width: int
    pad_token_id: int
    embedding_rows: int
    seed: int
    size: int = 2

    def whole(self) -> "Batch":
        """The batch itself, with all its prompts."""
        return self

    def longest(self) -> "Batch":
        """Only the longest prompt; the last one if several are equally long."""
        return self.only(max(self.prompts, key=self._length))

    def shortest(self) -> "Batch":
        """Only the shortest prompt, which gets the most pads; the first one if several are equally short."""
        return self.only(min(self.prompts, key=self._length))

    def few(self) -> "Batch":
        """Only the shortest and the longest prompt."""
        return self.only(*self.shortest().prompts, *self.longest().prompts)

    def pair(self) -> "Batch":
        """The shortest prompt and the next longer one that gives it a few pads, padded to the length of that one.

        A few pads are enough to show the effect of a probe, and a narrow batch takes a fraction of the time.
        """
        [shortest] = self.shortest().prompts
        by_length = sorted(self.prompts, key=self._length)
        enough = len(self.prompts[shortest]) + _FEW_PADS
        other = next((index for index in by_length if len(self.prompts[index]) >= enough), by_length[-1])
        return replace(self.only(shortest, other), width=len(self.prompts[other]))

    def _length(self, index: int) -> tuple[int, int]:
        return len(self.prompts[index]), index

    def only(self, *chosen: int) -> "Batch":
        """Only the prompts with these indices, still padded to the width of the batch."""
        return replace(self, prompts={index: ids for index, ids in self.prompts.items() if index in chosen})

    def alone(self) -> list[Rows]:
        """One call per prompt, without padding."""
        return [[(index, unpadded(ids))] for index, ids in self.prompts.items()]

    def copies(self, number: int) -> list[Rows]:
        """One call per prompt, a batch of `number` copies of it without padding."""
        return [rows * number for rows in self.alone()]

    def padded(self, side: PaddingSide) -> Rows:
        """One call with all prompts, padded on this side to the width of the batch."""
        return [(index, pad_ids(ids, self.width, self.pad_token_id, side)) for index, ids in self.prompts.items()]

    def scrambled(self, side: PaddingSide = "left") -> Rows:
        """The batch, padded on this side, with random ids in place of the pads, still masked.

        If a model respects the mask, its output for the real tokens does not change.
        """
        draw = random.Random(self.seed)  # noqa: S311  not used for security
        return [
            (
                index,
                padded._replace(
                    input_ids=tuple(
                        token_id if real else draw.randrange(self.embedding_rows)
                        for token_id, real in zip(*padded, strict=True)
                    )
                ),
            )
            for index, padded in self.padded(side)
        ]

    def mask_broken(self) -> Rows:
        """The scrambled batch with a mask of all ones, so the model attends to what it must not see.

        Random ids replace the pads because a pad's embedding may be zero, and then the broken mask hardly shows.
        """
        return [(index, unpadded(padded.input_ids)) for index, padded in self.scrambled()]


def unpadded(ids: tuple[int, ...]) -> PaddedIds:
    """The prompt without padding, and a mask of all ones."""
    return PaddedIds(ids, (1,) * len(ids))
