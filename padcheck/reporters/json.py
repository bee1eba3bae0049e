"""The report as JSON: what `padcheck render` reads back."""

from padcheck.report import Report, Survey
from padcheck.reporters.view import View
from padcheck.session import dump


def render(report: Report | Survey, view: View) -> str:  # noqa: ARG001  a document has no screen
    """The report as `padcheck.session` writes it."""
    return dump(report)
