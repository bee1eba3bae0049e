"""The geometry of a picture of an attention_mask: one line per prompt, one cell per slot."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple

from padcheck.core.run_results import Row
from padcheck.reporters.html.alignment import kind_of

_HEIGHTS = ((16, 14), (64, 8))
"""The height of a line, by the largest number of prompts."""
_LOWEST = 4
_WIDTHS = ((40, 14), (96, 8))
"""The width of a cell, by the largest number of slots."""
_NARROWEST = 4
_LABELS = 30
"""Room on the left for the numbers of the prompts."""
_MARKS = 16
_TICKS = 18
_FEWEST_PIXELS_BETWEEN_LABELS = 13
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Label(NamedTuple):
    """A number next to a line or below a column."""

    x: float
    y: float
    text: str


class HeatMap(NamedTuple):
    """One path per kind of cell, the lines between cells, the labels, and a mark at each prompt that changed."""

    width: int
    height: int
    cells: dict[str, str]
    rules: str
    labels: list[Label]
    marks: list[Label]
    num_rows: int
    num_slots: int
    num_pads: int


def heat_map(rows: Sequence[Row], changed: Collection[int]) -> HeatMap:
    """The picture of these rows; `changed` are the prompts that padding changed."""
    num_slots = max(len(row.input_ids) for row in rows)
    height, width = _size(len(rows), _HEIGHTS, _LOWEST), _size(num_slots, _WIDTHS, _NARROWEST)
    cells = {"pad": "", "prompt": "", "new": ""}
    for number, row in enumerate(rows):
        kinds = [kind_of(row, index) or "prompt" for index in range(len(row.input_ids))]
        start = 0
        for kind, same in groupby(kinds):
            length = len(list(same))
            # One rectangle for neighbours of a kind; lines drawn over it separate the cells.
            cells[kind] += f"M{_LABELS + start * width} {number * height}h{length * width}v{height}h-{length * width}z"
            start += length
    right, bottom = _LABELS + num_slots * width, len(rows) * height
    rules = ""
    if min(width, height) > _NARROWEST:  # lines would cover smaller cells
        rules += "".join(f"M{_LABELS + slot * width} 0V{bottom}" for slot in range(1, num_slots))
        rules += "".join(f"M{_LABELS} {number * height}H{right}" for number in range(1, len(rows)))
    every, each = _step(height), _step(width)
    return HeatMap(
        width=right + _MARKS,
        height=bottom + _TICKS,
        cells={kind: path for kind, path in cells.items() if path},
        rules=rules,
        labels=[
            *(
                Label(_LABELS - 6, (number + 0.5) * height, str(row.prompt_index))
                for number, row in enumerate(rows)
                if number % every == 0
            ),
            *(
                Label(_LABELS + (slot + 0.5) * width, bottom + _TICKS / 2, str(slot))
                for slot in range(0, num_slots, each * 2)
            ),
        ],
        marks=[
            Label(right + _MARKS / 2, (number + 0.5) * height, str(row.prompt_index))
            for number, row in enumerate(rows)
            if row.prompt_index in changed
        ],
        num_rows=len(rows),
        num_slots=num_slots,
        num_pads=sum(row.num_pad_tokens for row in rows),
    )


def _size(number: int, sizes: tuple[tuple[int, int], ...], least: int) -> int:
    return next((size for most, size in sizes if number <= most), least)


def _step(size: int) -> int:
    """How many cells apart labels fit."""
    return next(step for step in _STEPS if step * size >= _FEWEST_PIXELS_BETWEEN_LABELS)
