"""The inputs of the arms, in plain integers: which rows go together into one call, and how they are padded."""

import random
from dataclasses import dataclass, replace

from padcheck.evidence import PaddingSide
from padcheck.textbook import PaddedIds, pad_ids

Rows = list[tuple[int, PaddedIds]]
"""The rows of one call: the index of each prompt, and the prompt padded to the width of the batch."""


@dataclass(frozen=True)
class Batch:
    """The prompts that are padded together.

    Attributes:
        prompts: Token ids by the index of the prompt.
        pad_token_id: What is padded with.
        embedding_rows: Ids below this have an embedding.
        seed: Of the ids that stand in for pads in `scrambled`.
    """

    prompts: dict[int, tuple[int, ...]]
    pad_token_id: int
    embedding_rows: int
    seed: int

    def few(self) -> "Batch":
        """The longest prompt and the shortest, which gets the most pads, padded as in the whole batch."""
        by_length = sorted(self.prompts, key=lambda index: len(self.prompts[index]))
        chosen = {by_length[0], by_length[-1]}
        return replace(self, prompts={index: ids for index, ids in self.prompts.items() if index in chosen})

    def alone(self) -> list[Rows]:
        """One call a prompt."""
        return [[(index, unpadded(ids))] for index, ids in self.prompts.items()]

    def copies(self, number: int) -> list[Rows]:
        """One call a prompt, in which it stands this often: a batch without any padding."""
        return [rows * number for rows in self.alone()]

    def padded(self, side: PaddingSide) -> Rows:
        """All prompts in one call, padded to the longest."""
        width = max(map(len, self.prompts.values()))
        return [(index, pad_ids(ids, width, self.pad_token_id, side)) for index, ids in self.prompts.items()]

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


def unpadded(ids: tuple[int, ...]) -> PaddedIds:
    """A prompt as it is, with a mask of ones."""
    return PaddedIds(ids, (1,) * len(ids))


def unmasked(rows: Rows) -> Rows:
    """The same rows under a mask of ones: what a model may not see, it now sees."""
    return [(index, unpadded(padded.input_ids)) for index, padded in rows]
