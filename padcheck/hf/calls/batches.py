"""The inputs of the arms, in plain integers: which rows go together into one call, and how they are padded."""

import random
from dataclasses import dataclass, replace

from padcheck.core.facts import PaddingSide
from padcheck.core.padding import PaddedIds, pad_ids

Rows = list[tuple[int, PaddedIds]]
"""The rows of one call: the index of each prompt, and the prompt padded to the width of the batch."""


_FEW_PADS = 4


@dataclass(frozen=True)
class Batch:
    """The prompts that are padded together.

    Attributes:
        prompts: Token ids by the index of the prompt.
        width: What is padded to: the length of the longest prompt, also where only others of its batch are left.
        pad_token_id: What is padded with.
        embedding_rows: Ids below this have an embedding.
        seed: Of the ids that replace the pads in `scrambled`.
        size: How many prompts are padded together, also after the batch was narrowed to some of them.
    """

    prompts: dict[int, tuple[int, ...]]
    width: int
    pad_token_id: int
    embedding_rows: int
    seed: int
    size: int = 2

    def whole(self) -> "Batch":
        """All prompts."""
        return self

    def longest(self) -> "Batch":
        """One prompt, the longest: of those that are as long, the last."""
        return self.only(max(self.prompts, key=self._length))

    def shortest(self) -> "Batch":
        """One prompt, the shortest, which gets the most pads."""
        return self.only(min(self.prompts, key=self._length))

    def few(self) -> "Batch":
        """The longest prompt and the shortest."""
        return self.only(*self.shortest().prompts, *self.longest().prompts)

    def pair(self) -> "Batch":
        """The shortest prompt and the next one that gives it a few pads, padded to the width of that one.

        What a probe changes shows behind a few pads as it does behind many, in a fraction of the time.
        """
        [shortest] = self.shortest().prompts
        by_length = sorted(self.prompts, key=self._length)
        enough = len(self.prompts[shortest]) + _FEW_PADS
        other = next((index for index in by_length if len(self.prompts[index]) >= enough), by_length[-1])
        return replace(self.only(shortest, other), width=len(self.prompts[other]))

    def _length(self, index: int) -> tuple[int, int]:
        return len(self.prompts[index]), index

    def only(self, *chosen: int) -> "Batch":
        """These prompts, padded to the same width."""
        return replace(self, prompts={index: ids for index, ids in self.prompts.items() if index in chosen})

    def alone(self) -> list[Rows]:
        """One call a prompt."""
        return [[(index, unpadded(ids))] for index, ids in self.prompts.items()]

    def copies(self, number: int) -> list[Rows]:
        """One call a prompt, in which it stands this often: a batch without any padding."""
        return [rows * number for rows in self.alone()]

    def padded(self, side: PaddingSide) -> Rows:
        """All prompts in one call, padded to the width of the batch."""
        return [(index, pad_ids(ids, self.width, self.pad_token_id, side)) for index, ids in self.prompts.items()]

    def scrambled(self) -> Rows:
        """The left-padded batch with other ids in the pad slots, still masked: a model may not see any difference."""
        draw = random.Random(self.seed)  # noqa: S311  nothing secret
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
            for index, padded in self.padded("left")
        ]

    def mask_broken(self) -> Rows:
        """The left-padded batch under a mask of ones, so that a model sees what it may not see.

        With other ids than pads, since a pad's embedding may be zero: hardly to be seen, mask or no mask.
        """
        return [(index, unpadded(padded.input_ids)) for index, padded in self.scrambled()]


def unpadded(ids: tuple[int, ...]) -> PaddedIds:
    """A prompt as it is, with a mask of ones."""
    return PaddedIds(ids, (1,) * len(ids))
