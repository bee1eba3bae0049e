"""The inputs of the arms, in plain integers: which rows go together into one call, and how they are padded."""

import random
from dataclasses import dataclass

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

    def alone(self) -> list[Rows]:
        """One call a prompt."""
        return [[(index, _unpadded(ids))] for index, ids in self.prompts.items()]

    def repeated(self) -> list[Rows]:
        """One call a prompt, which fills a batch of the same size with copies of it: batching without any padding."""
        return [[(index, _unpadded(ids))] * max(2, len(self.prompts)) for index, ids in self.prompts.items()]

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


def _unpadded(ids: tuple[int, ...]) -> PaddedIds:
    return PaddedIds(ids, (1,) * len(ids))
