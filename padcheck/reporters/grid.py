"""A row's tokens, attention_mask and position_ids aligned column by column, folded to the width of the screen."""

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from padcheck.evidence import Row
from padcheck.reporters.visible import visible_token
from padcheck.reporters.wording import PAD, UNLIKE_FORMULA

_LABELS = ("token", "attention_mask", "position_ids", "from the mask")
_RECEIVED = _LABELS.index("position_ids")
_LABEL_WIDTH = max(map(len, _LABELS)) + 2
_MAX_TOKEN_WIDTH = 16
_GAP = " "
_BAR = "│ "

_PAD_STYLE = "dim"
_NEW_STYLE = "bold green"
_UNLIKE_STYLE = "bold red"


def grid(row: Row, width: int) -> list[Text]:
    """The lines of a row's grid, in blocks that fit into `width` columns, a blank line between two blocks.

    A bar stands between prompt and generated tokens. A received position that is not what the formula gives for a real
    token carries an exclamation mark, so that it is seen without colour too. Where nothing was run, received positions
    are left out.
    """
    shown = [place for place in range(len(_LABELS)) if place != _RECEIVED or row.generated_ids]
    columns = [_column(row, index) for index in range(len(row.input_ids))]
    lines: list[Text] = []
    for block in _blocks(columns, width - _LABEL_WIDTH):
        if lines:
            lines.append(Text())
        for place in shown:
            line = Text.assemble((_LABELS[place].ljust(_LABEL_WIDTH), "dim"), *(column[place] for column in block))
            line.rstrip()
            lines.append(line)
    return lines


def _column(row: Row, index: int) -> tuple[Text, ...]:
    """The four cells of a column, of one width."""
    real, prompt_width = row.attention_mask[index], len(row.input_ids) - len(row.generated_ids)
    received, formula = row.position_ids[index], row.position_ids_from_mask[index]
    unlike = bool(real) and received is not None and received != formula
    texts = (
        visible_token(row.tokens[index]) if real else PAD,
        str(real),
        "-" if received is None else f"{received}{UNLIKE_FORMULA if unlike else ''}",
        str(formula),
    )
    width = min(max(map(cell_len, texts)), _MAX_TOKEN_WIDTH)
    style = _PAD_STYLE if not real else _NEW_STYLE if index >= prompt_width else ""
    bar = _BAR if index == prompt_width and row.generated_ids else ""
    return tuple(
        Text.assemble(bar, (_fit(text, width), _UNLIKE_STYLE if unlike and place == _RECEIVED else style), _GAP)
        for place, text in enumerate(texts)
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
