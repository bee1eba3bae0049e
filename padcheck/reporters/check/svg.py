"""The table of a check as a picture."""

from padcheck.core.report import Check, Report
from padcheck.reporters.check import wording
from padcheck.reporters.check.table import print_check
from padcheck.reporters.report.svg import picture, with_room_for
from padcheck.reporters.text.view import View


def render(check: Check, view: View) -> str:
    """The check as an SVG document, always in colour."""
    view = with_room_for((report for report in check.reports if isinstance(report, Report)), view)
    return picture(wording.title(check), view, lambda wide, console: print_check(check, wide, console))
