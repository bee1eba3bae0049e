"""What all tables for a terminal are laid out with; texts go in as `Text`, never as markup."""

from collections.abc import Callable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible

SEVERITY_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}
STATUS_STYLE = {"pass": "bold green", "fail": "bold red", "not_measured": "bold yellow", "error": "bold red"}


def captured(view: View, print_to: Callable[[Console], None]) -> str:
    """What is printed, as text, with ANSI colours where the view has them."""
    console = view.console()
    with console.capture() as capture:
        print_to(console)
    # Rich fills lines up with spaces; in a log or a diff they are noise.
    return capture.get() if view.color else "".join(line.rstrip() + "\n" for line in capture.get().split("\n")[:-1])


def section(console: Console, title: str, body: RenderableType) -> None:
    """A title and what stands below it."""
    section_title(console, title)
    console.print(body)


def section_title(console: Console, title: str) -> None:
    """A rule with the title, after an empty line."""
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left", style="dim"))


def pairs(labelled: Sequence[tuple[str, str]]) -> Table:
    """Labels and what they stand for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in labelled:
        table.add_row(Text(label), Text(value))
    return table


def print_finding(finding: Finding, console: Console) -> None:
    """Code, message and the line to change."""
    console.print(
        Text.assemble(
            (finding.code, "bold"),
            " ",
            (finding.severity.value, SEVERITY_STYLE[finding.severity]),
            " ",
            finding.name,
            (" (known)" if finding.known else "", "dim"),
        )
    )
    console.print(Padding(Text(visible(finding.message)), (0, 0, 0, 2)))
    for line in finding.fix.split("\n"):
        # Neither folded nor cut: a line that is meant to be pasted stays one line.
        console.print(Text("    " + visible(line), style="cyan"), soft_wrap=True)
