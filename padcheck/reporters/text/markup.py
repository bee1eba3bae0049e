"""Building blocks of markdown that can hold any text: tables, code blocks, inline code and folded parts."""

import html
from collections.abc import Iterable, Iterator


def table(
    headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], escaped: frozenset[int] | set[int] = frozenset()
) -> Iterator[str]:
    """The lines of a table; the cells of the columns in `escaped` are markdown already."""
    yield f"| {' | '.join(headings)} |"
    yield "|" + " --- |" * len(headings)
    for row in rows:
        cells = (cell.replace("|", "\\|") if place in escaped else escape(cell) for place, cell in enumerate(row))
        yield f"| {' | '.join(cells)} |"
    yield ""


def block(lines: list[str], language: str) -> Iterator[str]:
    """A code block."""
    # Text cannot close a fence that is longer than any row of backticks in it.
    longest = max((len(run) for line in lines for run in _backtick_runs(line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language}"
    yield from lines
    yield fence
    yield ""


def details(summary: str, lines: Iterable[str], *, is_open: bool = False) -> Iterator[str]:
    """Lines of markdown that a reader folds and unfolds; nothing if there are no lines."""
    folded = list(lines)
    if folded:
        yield f"<details{' open' if is_open else ''}><summary>{html.escape(summary)}</summary>"
        yield ""
        yield from folded
        yield "</details>"
        yield ""


def code(text: str) -> str:
    """Inline code, in a fence that is longer than any row of backticks in the text."""
    fence = "`" * (max((len(run) for run in _backtick_runs(text)), default=0) + 1)
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{edge}{text}{edge}{fence}" if text else ""


def escape(text: str) -> str:
    """Text with every special character of markdown escaped."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|~&" else character for character in text)


def _backtick_runs(text: str) -> list[str]:
    return "".join(character if character == "`" else " " for character in text).split()
