"""A row's tokens, attention_mask and positions aligned column by column, folded to the width of the screen."""

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
    """The lines of a row's grid, in blocks that fit into `width` columns, a blank line between two blocks.

    A bar stands between prompt and generated tokens. A position that is not what the formula gives for a real token
    carries an exclamation mark, so that it is seen without colour too. Where nothing was run, received and used
    positions are left out. `offset` is where the model's position table starts.
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
    """The cells of a column, of one width."""
    prompt_width = len(row.input_ids) - len(row.generated_ids)
    width = min(max(cell_len(line.texts[index]) for line in lines), _MAX_TOKEN_WIDTH)
    style = _PAD_STYLE if not row.attention_mask[index] else _NEW_STYLE if index >= prompt_width else ""
    bar = _BAR if index == prompt_width and row.generated_ids else ""
    return tuple(
        Text.assemble(bar, (_fit(line.texts[index], width), _UNLIKE_STYLE if index in line.unlike else style), _GAP)
        for line in lines
    )


def _fit(text: str, width: int) -> str:
    """Right-aligned to `width` terminal cells (wide characters take two), cut with an ellipsis where too long."""
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
