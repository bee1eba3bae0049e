"""Which positions of a row are shown: those that forward() received, those that the model used, or both."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from padcheck.core.report import Report
from padcheck.core.run_plans import SINGLE
from padcheck.core.run_results import Row
from padcheck.reporters.report.wording.prompts import UNLIKE_MASK


class GridLine(NamedTuple):
    """One text per column; `unlike` are the columns of real tokens whose position differs from the mask's."""

    label: str
    texts: tuple[str, ...]
    unlike: frozenset[int] = frozenset()


def shown_positions(row: Row, offset: int | None) -> Iterator[GridLine]:
    """The position lines of a row; none if nothing ran.

    The used positions are shown if forward() received none, or if the model did not use the received ones.

    Args:
        row: The row to show; its used positions include the offset of the model's table.
        offset: The first position in the model's table, from `table_offset`.
    """
    if not row.generated_ids:
        return
    received = any(position is not None for position in row.position_ids)
    from_mask = row.position_ids_from_mask
    if received or not row.positions_used:
        yield _line("position_ids", row.position_ids, _unlike(row, row.position_ids, from_mask, 0))
    if row.positions_used:
        # Only the distances of rotary positions matter, so any start is right.
        start = None if row.positions_used_by == "rotary" else offset
        if not received or all(_unlike(row, row.positions_used, row.position_ids, added) for added in (0, start)):
            yield _line("positions used", row.positions_used, _unlike(row, row.positions_used, from_mask, start))


def table_offset(report: Report) -> int | None:
    """The position that the model's table gives to the first token of a prompt alone, such as 2 in OPT.

    None if the model has no table, or if no prompt ran alone.
    """
    alone = report.evidence.runs.get(SINGLE)
    used = [row.positions_used[0] for row in alone.rows if row.positions_used_by == "table"] if alone else []
    return next((position for position in used if position is not None), None)


def _line(label: str, positions: Sequence[int | None], unlike: frozenset[int]) -> GridLine:
    texts = tuple(
        "-" if position is None else f"{position}{UNLIKE_MASK if index in unlike else ''}"
        for index, position in enumerate(positions)
    )
    return GridLine(label, texts, unlike)


def _unlike(
    row: Row, positions: Sequence[int | None], given: Sequence[int | None], offset: int | None
) -> frozenset[int]:
    """The columns of real tokens whose position is not the given one plus the offset, by default that of the first."""
    distances = {
        index: position - other
        for index, (position, other) in enumerate(zip(positions, given, strict=True))
        if row.attention_mask[index] and position is not None and other is not None
    }
    if offset is None:
        offset = next(iter(distances.values()), None)
    return frozenset(index for index, distance in distances.items() if distance != offset)
