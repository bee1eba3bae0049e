"""The table as a picture: what the terminal shows, by Rich's own SVG export."""

from dataclasses import replace

from rich.cells import cell_len

from padcheck.report import Report
from padcheck.reporters import wording
from padcheck.reporters.table import print_report
from padcheck.reporters.view import View
from padcheck.reporters.visible import visible

_WIDEST = 200
"""Columns; a hostile token must not make a picture without end."""


def render(report: Report, view: View) -> str:
    """The report as an SVG document, always in colour."""
    view = replace(view, color=True, width=max(view.width, min(_longest_line_to_paste(report), _WIDEST)))
    console = view.console(record=True)
    print_report(report, view, console)
    return console.export_svg(title=visible(f"padcheck {report.command} {report.evidence.model.id}"))


def _longest_line_to_paste(report: Report) -> int:
    """In columns. The table never folds such a line, and a picture would cut it off."""
    fixes = ["    " + visible(line) for finding in report.findings for line in finding.fix.split("\n")]
    advice = [f"{task:<12}{line}" for task, line in wording.advice(report)]
    return max(map(cell_len, [*fixes, *advice]), default=0)
