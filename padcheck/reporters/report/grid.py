"""The tokens, attention_mask and positions of a row, aligned in columns and folded to the width of the screen."""

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from padcheck.core.evidence import Row
from padcheck.reporters.report.positions import GridLine, shown_positions
from padcheck.reporters.report.wording.prompts import PAD
from padcheck.reporters.text.visible import visible_token

_LABEL_WIDTH = len("attention_mask") + 2
_MAX_TOKEN_WIDTH = 16
_GAP = " "
_BAR = "│ "

_PAD_STYLE = "dim"
_NEW_STYLE = "bold green"
_UNLIKE_STYLE = "bold red"


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
    columns = [_column(row, shown, index) for index in range(len(row.input_ids))]
    lines: list[Text] = []
    for block in _blocks(columns, width - _LABEL_WIDTH):
        if lines:
            lines.append(Text())
        for place, (label, *_) in enumerate(shown):
            line = Text.assemble((label.ljust(_LABEL_WIDTH), "dim"), *(column[place] for column in block))
            line.rstrip()
            lines.append(line)
    return lines


def _lines(row: Row, offset: int | None) -> list[GridLine]:
    tokens = zip(row.tokens, row.attention_mask, strict=True)
    return [
        GridLine("token", tuple(visible_token(token) if real else PAD for token, real in tokens)),
        GridLine("attention_mask", tuple(map(str, row.attention_mask))),
        *shown_positions(row, offset),
        GridLine("from the mask", tuple(map(str, row.position_ids_from_mask))),
    ]


def _column(row: Row, lines: list[GridLine], index: int) -> tuple[Text, ...]:
    """The cells of a column, all equally wide."""
    prompt_width = len(row.input_ids) - len(row.generated_ids)
    width = min(max(cell_len(line.texts[index]) for line in lines), _MAX_TOKEN_WIDTH)
    style = _PAD_STYLE if not row.attention_mask[index] else _NEW_STYLE if index >= prompt_width else ""
    bar = _BAR if index == prompt_width and row.generated_ids else ""
    return tuple(
        Text.assemble(bar, (_fit(line.texts[index], width), _UNLIKE_STYLE if index in line.unlike else style), _GAP)
        for line in lines
    )


def _fit(text: str, width: int) -> str:
    """The text aligned right in `width` terminal cells, of which wide characters take two; cut if it is too long."""
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - cells) + text


def _blocks(columns: list[tuple[Text, ...]], width: int) -> Iterator[list[tuple[Text, ...]]]:
    block: list[tuple[Text, ...]] = []
    used = 0
    for column in columns:
        cells = column[0].cell_len
        if block and used + cells > width:
            yield block
            block, used = [], 0
        block.append(column)
        used += cells
    yield block
