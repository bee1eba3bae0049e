"""The table of a survey as a picture."""

from padcheck.core.report import Survey
from padcheck.reporters.report.svg import picture
from padcheck.reporters.survey.table import print_survey
from padcheck.reporters.text.view import View


def render(survey: Survey, view: View) -> str:
    """The survey as an SVG document, always in colour."""
    return picture("padcheck survey", view, lambda wide, console: print_survey(survey, wide, console))
