"""A check for a person at a terminal, or for the log of a pipeline; the summary comes last."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Check, Report
from padcheck.reporters.check import wording
from padcheck.reporters.report.blocks import STATUS_STYLE, print_conclusion
from padcheck.reporters.report.short import print_short
from padcheck.reporters.report.table import print_report
from padcheck.reporters.text.layout import captured, headed_table, section, section_title
from padcheck.reporters.text.view import View


def render(check: Check, view: View) -> str:
    """The check as text, with ANSI colours if the view has colour."""
    return captured(view, lambda console: print_check(check, view, console))


def print_check(check: Check, view: View, console: Console) -> None:
    """Prints the report on each model, in full if the view is verbose, and a summary."""
    for name, report in zip(wording.names(check), check.reports, strict=True):
        if view.verbose and isinstance(report, Report):
            print_report(report, view, console)
            continue
        section_title(console, f"{wording.title(check)} {name}")
        print_short(report, console)
        if view.verbose and not isinstance(report, Report) and report.traceback is not None:
            console.print(Text(report.traceback))
    if ways := wording.side_by_side(check):
        section(console, wording.SIDE_BY_SIDE_TITLE, headed_table(wording.SIDE_BY_SIDE_HEADINGS, ways))
    section(console, "Summary", _summary(check))
    if vanished := wording.vanished(check):
        section(console, wording.VANISHED_TITLE, Text("\n".join(vanished)))
    console.print()
    print_conclusion(wording.conclusion(check), check.status, console)


def _summary(check: Check) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for report, (model, how, codes) in zip(check.reports, wording.summary(check), strict=True):
        table.add_row(Text(model), Text(how, style=STATUS_STYLE[report.status]), Text(codes))
    return table
