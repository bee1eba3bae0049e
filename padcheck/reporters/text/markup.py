"""What all markdown is made of: tables, blocks and inline code that hold any text."""

from collections.abc import Iterable, Iterator


def table(
    headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], escaped: frozenset[int] | set[int] = frozenset()
) -> Iterator[str]:
    """The lines of a table; the columns in `escaped` hold markdown already."""
    yield f"| {' | '.join(headings)} |"
    yield "|" + " --- |" * len(headings)
    for row in rows:
        cells = (cell.replace("|", "\\|") if place in escaped else escape(cell) for place, cell in enumerate(row))
        yield f"| {' | '.join(cells)} |"
    yield ""


def block(lines: list[str], language: str) -> Iterator[str]:
    """A code block."""
    # A fence longer than any run of backticks inside cannot be closed by a hostile token.
    longest = max((len(run) for line in lines for run in _backtick_runs(line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language}"
    yield from lines
    yield fence
    yield ""


def code(text: str) -> str:
    """Inline code that holds anything: backticks are fenced with more of them."""
    fence = "`" * (max((len(run) for run in _backtick_runs(text)), default=0) + 1)
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{edge}{text}{edge}{fence}" if text else ""


def escape(text: str) -> str:
    """Text of which markdown makes nothing."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|~&" else character for character in text)


def _backtick_runs(text: str) -> list[str]:
    return "".join(character if character == "`" else " " for character in text).split()
