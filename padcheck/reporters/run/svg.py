"""The table of a watched program as a picture."""

from padcheck.core.run_report import Run
from padcheck.reporters.report.svg import picture
from padcheck.reporters.run.table import print_run
from padcheck.reporters.text.view import View


def render(run: Run, view: View) -> str:
    """The run as an SVG document, always in colour."""
    return picture("padcheck run", view, lambda _, console: print_run(run, console))
