"""The verdict of each side as a table for a terminal."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Report, Verdict
from padcheck.reporters.report import wording

VERDICT_STYLE = {
    Verdict.IDENTICAL: "green",
    Verdict.EQUIVALENT: "green",
    Verdict.DIFFERENT: "bold red",
    Verdict.NON_FINITE: "bold red",
    Verdict.NOT_RUN: "bold yellow",
}


def verdicts(report: Report) -> RenderableType:
    """The verdict of each side, with its reason."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, verdict, reason in wording.verdicts(report):
        table.add_row(Text(name), Text(verdict, style=VERDICT_STYLE[report.comparisons[name].verdict]), Text(reason))
    return table
