"""What a task gave, such as classifying, as tables for the terminal."""

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Report
from padcheck.reporters.report.blocks import VERDICT_STYLE
from padcheck.reporters.report.wording import task as wording
from padcheck.reporters.report.wording import training
from padcheck.reporters.text.layout import headed_table, pairs, section
from padcheck.reporters.text.view import View


def print_task(report: Report, view: View, console: Console) -> None:
    """Prints the numbers of the texts, the probes, what rounding does, and the verdicts; nothing if no task ran."""
    task = report.evidence.task
    if task is None:
        return
    section(console, wording.title(task), headed_table(wording.HEADINGS, wording.rows(report, all_texts=view.verbose)))
    if wording.hides_texts(report) and not view.verbose:
        console.print(Text("--verbose shows every text", style="dim"))
    if steps := training.rows(report):
        section(console, training.TITLE, headed_table(training.HEADINGS, steps))
        console.print(Text(training.notes(report), style="dim"))
    section(console, f"Probes of {task.name}", headed_table(wording.PROBE_HEADINGS, wording.probe_rows(report)))
    section(console, f"What rounding does to the {task.numbers}", pairs(wording.rounding_rows(report)))
    section(console, "Verdict", task_verdicts(report))


def task_verdicts(report: Report) -> RenderableType:
    """The verdict on each padded user run of the task, with its reason."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    shown = wording.shown_verdicts(report).values()
    for comparison, (name, verdict, reason) in zip(shown, wording.verdict_rows(report), strict=True):
        table.add_row(Text(name), Text(verdict, style=VERDICT_STYLE[comparison.verdict]), Text(reason))
    return table
