"""The attention mask of an arm as a picture: a row a prompt, a column a slot."""

from itertools import groupby
from typing import NamedTuple

from padcheck.evidence import Row


class Stripe(NamedTuple):
    """Slots of one kind beside each other in a row: pad, prompt or new."""

    kind: str
    row: int
    start: int
    length: int


def stripes(rows: tuple[Row, ...]) -> list[Stripe]:
    """The stripes of all rows: three a row at most, however long it is."""
    found = []
    for number, row in enumerate(rows):
        prompt_width = len(row.attention_mask) - len(row.generated_ids)
        kinds = [
            "pad" if not real else "new" if index >= prompt_width else "prompt"
            for index, real in enumerate(row.attention_mask)
        ]
        start = 0
        for kind, group in groupby(kinds):
            length = len(list(group))
            found.append(Stripe(kind, number, start, length))
            start += length
    return found
