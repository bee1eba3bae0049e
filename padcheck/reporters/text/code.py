"""Lines of code for people to paste, folded so that no terminal breaks them in a word."""

import tokenize
from collections.abc import Iterable, Iterator
from io import StringIO
from textwrap import wrap

from rich.cells import cell_len

_COMMENT = "# "


def folded(line: str, width: int) -> list[str]:
    """The line; if it is too long, its comment stands above it, and its statements on several lines.

    A statement that is too long by itself stays whole, so that it can be pasted.
    """
    if cell_len(line) <= width:
        return [line]
    statements, comment = _parts(line)
    comments = wrap(comment, max(width - len(_COMMENT), 1), break_long_words=False, break_on_hyphens=False)
    return [*(_COMMENT + text for text in comments), *_joined(statements, width)]


def _parts(line: str) -> tuple[list[str], str]:
    """The statements of the line, and the text of its comment."""
    statements, comment, start = [], "", 0
    try:
        for token in tokenize.generate_tokens(StringIO(line).readline):
            if token.type == tokenize.COMMENT:
                comment, line = token.string.removeprefix("#").strip(), line[: token.start[1]]
            elif token.type == tokenize.ERRORTOKEN:  # Python 3.12 and later raise instead
                return [line], ""
            elif token.type == tokenize.OP and token.string == ";":
                statements.append(line[start : token.start[1]].strip())
                start = token.end[1]
    except (tokenize.TokenError, SyntaxError):  # not Python: it stays as it is
        return [line], ""
    rest = line[start:].strip()
    return [*statements, *([rest] if rest else [])], comment


def _joined(statements: Iterable[str], width: int) -> Iterator[str]:
    """As many statements on a line as fit."""
    line = ""
    for statement in statements:
        longer = f"{line}; {statement}" if line else statement
        if line and cell_len(longer) > width:
            yield line
            longer = statement
        line = longer
    if line:
        yield line
