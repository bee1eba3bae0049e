"""Aligns a prompt's real tokens in the same columns of every run, so that a shift of positions is visible.

The pads on a side are one column, however many there are.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from padcheck.core.run_results import Row
from padcheck.reporters.report.positions import shown_positions
from padcheck.reporters.report.wording.prompts import PAD, together
from padcheck.reporters.text.visible import visible_token


class Cell(NamedTuple):
    """One column of a line; `kind` is its CSS class, `span` how many columns an empty cell takes."""

    text: str
    kind: str = ""
    span: int = 1


class Line(NamedTuple):
    """The tokens, the mask or the positions of a row."""

    label: str
    cells: list[Cell]


class Widths(NamedTuple):
    """The columns of each part: pads on the left (0 or 1), prompt, pads on the right (0 or 1), new tokens."""

    left: int
    prompt: int
    right: int
    new: int


class _Parts(NamedTuple):
    """The same parts of one row, as ranges of its columns."""

    left: range
    prompt: range
    right: range
    new: range


def widths(rows: Sequence[Row]) -> Widths:
    """The largest width of each part among the rows."""
    left, prompt, right, new = (max(map(len, same), default=0) for same in zip(*map(_parts, rows), strict=True))
    return Widths(min(left, 1), prompt, min(right, 1), new)


def lines(row: Row, widths: Widths, *, offset: int | None = None, ids: bool = False) -> Iterator[Line]:
    """The lines of a row, filled up to the widths.

    Args:
        row: The row to show.
        widths: From `widths`.
        offset: The first position in the model's table, from `table_offset`.
        ids: Adds a line with the token ids.

    Yields:
        Received and used positions only if something ran; the positions from the mask only if others differ from them.
    """
    yield Line("token", _cells(row, widths, [visible_token(text) for text in row.tokens], pad=PAD))
    if ids:
        yield Line("input_ids", _cells(row, widths, row.input_ids))
    yield Line("attention_mask", _cells(row, widths, row.attention_mask))
    shown = list(shown_positions(row, offset))
    for positions in shown:
        yield Line(positions.label, _cells(row, widths, positions.texts, unlike=positions.unlike))
    if any(positions.unlike for positions in shown) or set(row.position_ids) <= {None}:
        yield Line("from the mask", _cells(row, widths, row.position_ids_from_mask))


def kind_of(row: Row, index: int) -> str:
    """What stands in a column: `pad`, `new`, or an empty text for the prompt."""
    if not row.attention_mask[index]:
        return "pad"
    return "new" if index >= len(row.input_ids) - len(row.generated_ids) else ""


def _cells(
    row: Row,
    widths: Widths,
    values: Sequence[object],
    *,
    pad: str | None = None,
    unlike: frozenset[int] = frozenset(),
) -> list[Cell]:
    cells: list[Cell] = []
    for part, columns, width in zip(Widths._fields, _parts(row), widths, strict=True):
        filled = []
        for indices in [columns] if part in ("left", "right") and columns else ([index] for index in columns):
            kind = "unlike" if indices[0] in unlike else kind_of(row, indices[0])
            texts = [pad if pad and kind == "pad" else str(values[index]) for index in indices]
            filled.append(Cell(together(texts), kind))
        missing = width - len(filled)
        empty = [Cell("", "none", missing)] if missing else []
        cells += [*empty, *filled] if part == "left" else [*filled, *empty]
    return cells


def _parts(row: Row) -> _Parts:
    end = len(row.input_ids) - len(row.generated_ids)
    mask = row.attention_mask[:end]
    left = sum(1 for _ in takewhile(lambda real: not real, mask))
    right = sum(1 for _ in takewhile(lambda real: not real, reversed(mask[left:])))
    return _Parts(range(left), range(left, end - right), range(end - right, end), range(end, len(row.input_ids)))
