"""The positions that are shown of a row: those that forward() received, those that the model used, or both."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from padcheck.core.evidence import Row
from padcheck.core.report import Report
from padcheck.core.run_plans import SINGLE
from padcheck.reporters.report.wording.prompts import UNLIKE_MASK


class GridLine(NamedTuple):
    """A text a column; `unlike` are the columns of real tokens whose position is not what the mask gives."""

    label: str
    texts: tuple[str, ...]
    unlike: frozenset[int] = frozenset()


def shown_positions(row: Row, offset: int | None) -> Iterator[GridLine]:
    """The lines of a row; none where nothing was run.

    Used positions stand in place of received ones where forward() received none, and below them where the model did
    not use what it received.

    Args:
        row: With positions in its table's own count.
        offset: Where its table starts, from `table_offset`.
    """
    if not row.generated_ids:
        return
    received = any(position is not None for position in row.position_ids)
    from_mask = row.position_ids_from_mask
    if received or not row.positions_used:
        yield _line("position_ids", row.position_ids, _unlike(row, row.position_ids, from_mask, 0))
    if row.positions_used:
        # Rotary positions tell distances alone.
        start = None if row.positions_used_by == "rotary" else offset
        if not received or all(_unlike(row, row.positions_used, row.position_ids, added) for added in (0, start)):
            yield _line("positions used", row.positions_used, _unlike(row, row.positions_used, from_mask, start))


def table_offset(report: Report) -> int | None:
    """The position that the model's table gives to the first token of a prompt alone, such as 2 in OPT.

    None where it has no table, or no prompt ran alone.
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
    """The columns of real tokens whose position is not the given one plus the offset; None is that of the first."""
    distances = {
        index: position - other
        for index, (position, other) in enumerate(zip(positions, given, strict=True))
        if row.attention_mask[index] and position is not None and other is not None
    }
    if offset is None:
        offset = next(iter(distances.values()), None)
    return frozenset(index for index, distance in distances.items() if distance != offset)
