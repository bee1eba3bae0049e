"""The tokens, attention_mask and positions of a row in aligned columns. Pads next to each other share a column."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from padcheck.core.run_results import Row
from padcheck.reporters.report.positions import GridLine, shown_positions
from padcheck.reporters.report.wording.prompts import PAD, together
from padcheck.reporters.text.visible import visible_token

_LABEL_WIDTH = len("attention_mask") + 2
_MAX_TOKEN_WIDTH = 16
_GAP = " "
_BAR = "│ "

_PAD_STYLE = "dim"
_NEW_STYLE = "bold green"
_UNLIKE_STYLE = "bold red"


class _Column(NamedTuple):
    """One token, or several pads: a cell for each line, all equally wide, and the columns of the row that it shows."""

    cells: tuple[Text, ...]
    indices: Sequence[int]

    @property
    def width(self) -> int:
        return self.cells[0].cell_len


def grid(row: Row, width: int, offset: int | None = None) -> list[Text]:
    """The grid of a row, in blocks of lines that fit the width, with a blank line between two blocks.

    A bar stands between prompt and generated tokens. An exclamation mark follows the position of a real token that
    differs from the one that the mask gives, so that it is visible without colour. If nothing ran, there are no
    positions but those from the mask.

    Args:
        row: The row to show.
        width: The width of the screen in columns.
        offset: The first position in the model's table, from `table_offset`.
    """
    shown = _lines(row, offset)
    lines: list[Text] = []
    for block in _blocks(_columns(row, shown), width - _LABEL_WIDTH):
        if lines:
            lines.append(Text())
        lines += _block([line.label for line in shown], block)
    return lines


def excerpt(title: str, row: Row, width: int, offset: int | None = None, step: int | None = None) -> list[Text]:
    """The part of a grid that fits the width in one block; a gap says how many tokens it stands for.

    The columns around the bar come first: the end of the prompt, and the first new tokens. The line of the positions
    from the mask is left out if the model got these positions.

    Args:
        title: Stands in the first line in place of `token`.
        row: The row to show.
        width: The width of the screen in columns.
        offset: The first position in the model's table, from `table_offset`.
        step: The number of a generated token that must be shown, from 0.
    """
    token, mask, *positions, from_mask = _lines(row, offset)
    shown = [token, mask, *positions]
    if not positions or any(line.unlike for line in positions):
        shown.append(from_mask)
    columns, label_width = _columns(row, shown), max(_LABEL_WIDTH, cell_len(title) + 2)
    bar = next((place for place, column in enumerate(columns) if _is_new(row, column.indices[0])), len(columns))
    wanted = None if step is None else bar + step
    order = sorted(
        range(len(columns)),
        key=lambda place: (
            place != wanted and row.attention_mask[columns[place].indices[0]] == 1,
            abs(2 * (place - bar) + 1),
        ),
    )
    block = _fitting(columns, order, len(shown), width - label_width)
    first, *others = _block([title, *(line.label for line in shown[1:])], block, label_width)
    first.stylize("bold", 0, len(title))
    return [first, *others]


def _lines(row: Row, offset: int | None) -> list[GridLine]:
    tokens = zip(row.tokens, row.attention_mask, strict=True)
    return [
        GridLine("token", tuple(visible_token(token) if real else PAD for token, real in tokens)),
        GridLine("attention_mask", tuple(map(str, row.attention_mask))),
        *shown_positions(row, offset),
        GridLine("from the mask", tuple(map(str, row.position_ids_from_mask))),
    ]


def _columns(row: Row, lines: Sequence[GridLine]) -> list[_Column]:
    columns = []
    for real, same in groupby(range(len(row.input_ids)), key=row.attention_mask.__getitem__):
        indices = list(same)
        columns += [_column(row, lines, [index]) for index in indices] if real else [_column(row, lines, indices)]
    return columns


def _column(row: Row, lines: Sequence[GridLine], indices: Sequence[int]) -> _Column:
    texts = [together([line.texts[index] for index in indices]) for line in lines]
    index, width = indices[0], min(max(map(cell_len, texts)), _MAX_TOKEN_WIDTH)
    style = _PAD_STYLE if not row.attention_mask[index] else _NEW_STYLE if _is_new(row, index) else ""
    bar = _BAR if row.generated_ids and index == len(row.input_ids) - len(row.generated_ids) else ""
    cells = (
        Text.assemble(bar, (_fit(text, width), _UNLIKE_STYLE if index in line.unlike else style), _GAP)
        for line, text in zip(lines, texts, strict=True)
    )
    return _Column(tuple(cells), indices)


def _is_new(row: Row, index: int) -> bool:
    return index >= len(row.input_ids) - len(row.generated_ids)


def _fit(text: str, width: int) -> str:
    """The text aligned right in `width` terminal cells, of which wide characters take two; cut if it is too long."""
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - cells) + text


def _blocks(columns: list[_Column], width: int) -> Iterator[list[_Column]]:
    block: list[_Column] = []
    used = 0
    for column in columns:
        if block and used + column.width > width:
            yield block
            block, used = [], 0
        block.append(column)
        used += column.width
    yield block


def _block(labels: list[str], columns: list[_Column], label_width: int = _LABEL_WIDTH) -> list[Text]:
    lines = []
    for place, label in enumerate(labels):
        line = Text.assemble((label.ljust(label_width), "dim"), *(column.cells[place] for column in columns))
        line.rstrip()
        lines.append(line)
    return lines


def _fitting(columns: list[_Column], order: list[int], num_lines: int, width: int) -> list[_Column]:
    """As many columns as fit, chosen in this order and shown in their own, with the gaps between them."""
    chosen: set[int] = set()
    fitting = _with_gaps(columns, chosen, num_lines)
    for place in order:
        more = _with_gaps(columns, chosen | {place}, num_lines)
        if chosen and sum(column.width for column in more) > width:
            break
        chosen, fitting = chosen | {place}, more
    return fitting


def _with_gaps(columns: list[_Column], chosen: set[int], num_lines: int) -> list[_Column]:
    shown: list[_Column] = []
    for is_chosen, same in groupby(range(len(columns)), key=chosen.__contains__):
        places = list(same)
        if is_chosen:
            shown += [columns[place] for place in places]
        else:
            number = f"…×{len(places)}"
            texts = (number, *[" " * len(number)] * (num_lines - 1))
            shown.append(_Column(tuple(Text(text + _GAP, style=_PAD_STYLE) for text in texts), places))
    return shown
