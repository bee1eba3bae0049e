"""The table as a picture: what the terminal shows, by Rich's own SVG export."""

from dataclasses import replace

from padcheck.report import Report
from padcheck.reporters.table import print_report
from padcheck.reporters.view import View
from padcheck.reporters.visible import visible


def render(report: Report, view: View) -> str:
    """The report as an SVG document, always in colour."""
    view = replace(view, color=True)
    console = view.console(record=True)
    print_report(report, view, console)
    return console.export_svg(title=visible(f"padcheck {report.command} {report.evidence.model.id}"))
