"""What every terminal table is built from. Texts go in as `Text`, because Rich would read markup in a plain string."""

from collections.abc import Callable, Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from padcheck.reporters.text.view import View


def captured(view: View, print_to: Callable[[Console], None]) -> str:
    """What is printed, as text, with ANSI colours if the view has colour."""
    console = view.console()
    with console.capture() as capture:
        print_to(console)
    # Rich fills lines up with spaces; in a log or a diff they are noise.
    return capture.get() if view.color else "".join(line.rstrip() + "\n" for line in capture.get().split("\n")[:-1])


def section(console: Console, title: str, body: RenderableType) -> None:
    """Prints a title and what stands below it."""
    section_title(console, title)
    console.print(body)


def section_title(console: Console, title: str) -> None:
    """Prints a rule with the title, after an empty line."""
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left", style="dim"))


def pairs(labelled: Sequence[tuple[str, str]]) -> Table:
    """A table of labels and their texts."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in labelled:
        table.add_row(Text(label), Text(value))
    return table


def headed_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table with headings and without lines; a column without a heading holds the labels of the rows."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold", style="dim" if not heading else "")
    for cells in rows:
        table.add_row(*map(Text, cells))
    return table


def first_lines(text: Text, width: int, most: int, console: Console) -> Text:
    """The text wrapped to the width; an ellipsis stands for the lines beyond `most`."""
    lines = text.wrap(console, max(width, 1))
    if len(lines) > most:
        lines[most - 1].truncate(max(width - 1, 1))
        lines[most - 1].append("…")
    return Text("\n").join(lines[:most])


def last_cells(text: str, width: int) -> str:
    """The end of a text that takes `width` terminal cells; an ellipsis stands for the rest."""
    if cell_len(text) <= width:
        return text
    used, start = 1, len(text)
    while start and used + cell_len(text[start - 1]) <= width:
        start -= 1
        used += cell_len(text[start])
    return "…" + text[start:]
