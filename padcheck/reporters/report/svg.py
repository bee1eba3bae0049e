"""The terminal table as a picture, made by Rich's SVG export."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from rich.console import Console

from padcheck.core.report import Report
from padcheck.reporters.report.blocks import code_lines
from padcheck.reporters.report.table import print_table
from padcheck.reporters.report.wording import findings
from padcheck.reporters.text.view import View

_NARROWEST, _WIDEST = 80, 200
"""Columns; the second one is a limit, because a hostile token may be very long."""


def render(report: Report, view: View) -> str:
    """The report as an SVG document, always in colour."""
    title = f"padcheck {report.command} {report.evidence.model.id}"
    return picture(title, with_room_for([report], view), lambda wide, console: print_table(report, wide, console))


def picture(title: str, view: View, print_to: Callable[[View, Console], None]) -> str:
    """What `print_to` prints, as an SVG document."""
    view = replace(view, color=True)
    console = view.console(record=True)
    print_to(view, console)
    return console.export_svg(title=title)


def with_room_for(reports: Iterable[Report], view: View) -> View:
    """A view that is wide enough for the lines to paste: no table folds them, so a narrow picture would cut them."""
    longest = max((_longest_line_to_paste(report) for report in reports), default=0)
    return replace(view, width=max(view.width, min(longest, _WIDEST)))


def _longest_line_to_paste(report: Report) -> int:
    """Most lines are folded between statements, so only a long statement is left."""
    lines = [*(finding.fix for finding in report.findings), *(line for _, line in findings.advice(report))]
    return max((line.cell_len for each in lines for line in code_lines(each, _NARROWEST)), default=0)
