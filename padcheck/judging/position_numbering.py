"""What the positions that a model used say about how it numbers tokens."""

from itertools import pairwise

from padcheck.core.evidence import Row


def counted_from_slots(alone: Row, padded: Row) -> bool:
    """True where the padded prompt has other positions than the same prompt alone, on its real tokens.

    With a table every other position is another row of it. With rotary positions only distances count, so that a shift
    of the whole prompt changes nothing. False where a position is unknown.
    """
    before, behind = _of_prompt(alone), _of_prompt(padded)
    if None in (*before, *behind) or not before or not behind:
        return False
    if padded.positions_used_by == "rotary":
        return _distances(before) != _distances(behind)
    return before != behind


def _of_prompt(row: Row) -> list[int | None]:
    """The positions used for the real tokens of the prompt; empty where none is known."""
    prompt_width = len(row.input_ids) - len(row.generated_ids)
    columns = zip(row.positions_used[:prompt_width], row.attention_mask, strict=False)
    return [position for position, real in columns if real]


def _distances(positions: list[int | None]) -> list[int]:
    known = [position for position in positions if position is not None]
    return [second - first for first, second in pairwise(known)]
