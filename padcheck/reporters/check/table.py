"""A check for a person at a terminal, or the log of a pipeline; the sum comes last."""

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
    """The check as text, with ANSI colours where the view has them."""
    return captured(view, lambda console: print_check(check, view, console))


def print_check(check: Check, view: View, console: Console) -> None:
    """Prints each model's report, in full where the view is verbose, and the sum."""
    for name, report in zip(wording.names(check), check.reports, strict=True):
        if view.verbose and isinstance(report, Report):
            print_report(report, view, console)
            continue
        section_title(console, f"padcheck check {name}")
        print_short(report, console)
        if view.verbose and not isinstance(report, Report) and report.traceback is not None:
            console.print(Text(report.traceback))
    if ways := wording.by_attention(check):
        section(console, "By attention implementation", headed_table(wording.ATTENTION_HEADINGS, ways))
    section(console, "In sum", _sums(check))
    if vanished := wording.vanished(check):
        section(console, "Gone since the baseline was written", Text("\n".join(vanished)))
    console.print()
    print_conclusion(wording.conclusion(check), check.status, console)


def _sums(check: Check) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for report, (model, how, codes) in zip(check.reports, wording.sums(check), strict=True):
        table.add_row(Text(model), Text(how, style=STATUS_STYLE[report.status]), Text(codes))
    return table
