"""How a model numbers tokens, as shown by the positions that it used."""

from itertools import pairwise

from padcheck.core.run_results import Row


def counted_from_slots(alone: Row, padded: Row) -> bool:
    """True if the real tokens of the padded prompt have other positions than those of the same prompt alone.

    With a table each position is a different row. With rotary positions only distances count, and a shift of the whole
    prompt changes nothing. False if a position is unknown.
    """
    before, after = _of_prompt(alone), _of_prompt(padded)
    if None in (*before, *after) or not before or not after:
        return False
    if padded.positions_used_by == "rotary":
        return _distances(before) != _distances(after)
    return before != after


def _of_prompt(row: Row) -> list[int | None]:
    """The positions used for the real tokens of the prompt; empty if none are known."""
    prompt_width = len(row.input_ids) - len(row.generated_ids)
    columns = zip(row.positions_used[:prompt_width], row.attention_mask, strict=False)
    return [position for position, real in columns if real]


def _distances(positions: list[int | None]) -> list[int]:
    known = [position for position in positions if position is not None]
    return [second - first for first, second in pairwise(known)]
