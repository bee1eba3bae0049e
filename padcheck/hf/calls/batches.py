"""Builds the rows of each call from the prompts: which prompts go in, and how they are padded. Plain integers only."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from padcheck.core.facts import PaddingSide
from padcheck.core.padding import PaddedIds, pad_ids

Rows = list[tuple[int, PaddedIds]]
"""The rows of one call: for each row, the index of its prompt and the padded prompt. All rows have the same width."""

_FEW_PADS = 4
"""How many pads `Batch.pair` gives the shortest prompt, and `Batch.two_sided` each part of every text, at least."""


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
        first_parts: For texts of two parts, such as a prompt and a choice, how many tokens the first one has.
    """

    prompts: dict[int, tuple[int, ...]]
    width: int
    pad_token_id: int
    embedding_rows: int
    seed: int
    size: int = 2
    first_parts: Mapping[int, int] = field(default_factory=dict)

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

    def two_sided(self) -> Rows:
        """One call with all texts, the first part padded on the left and the second one on the right.

        This is how preference and RL training put a prompt and its completion into one row.
        """
        parts = {
            index: (ids[: self.first_parts[index]], ids[self.first_parts[index] :])
            for index, ids in self.prompts.items()
        }
        before, after = two_sided_widths([(len(first), len(second)) for first, second in parts.values()])
        rows = []
        for index, (first, second) in parts.items():
            left = pad_ids(first, before, self.pad_token_id, "left")
            right = pad_ids(second, after, self.pad_token_id, "right")
            rows.append(
                (index, PaddedIds(left.input_ids + right.input_ids, left.attention_mask + right.attention_mask))
            )
        return rows

    def mask_broken(self) -> Rows:
        """The scrambled batch with a mask of all ones, so the model attends to what it must not see.

        Random ids replace the pads because a pad's embedding may be zero, and then the broken mask hardly shows.
        """
        return [(index, unpadded(padded.input_ids)) for index, padded in self.scrambled()]


def two_sided_widths(lengths: Collection[tuple[int, int]]) -> tuple[int, int]:
    """How many columns the first and the second parts of texts are padded to: a few more than the longest needs.

    So every text gets pads on both sides, also if all parts are equally long.
    """
    return max(first for first, _ in lengths) + _FEW_PADS, max(second for _, second in lengths) + _FEW_PADS


def unpadded(ids: tuple[int, ...]) -> PaddedIds:
    """The prompt without padding, and a mask of all ones."""
    return PaddedIds(ids, (1,) * len(ids))
