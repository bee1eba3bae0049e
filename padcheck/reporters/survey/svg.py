"""A survey's table as a picture."""

from padcheck.report import Survey
from padcheck.reporters.survey.table import print_survey
from padcheck.reporters.svg import picture
from padcheck.reporters.view import View


def render(survey: Survey, view: View) -> str:
    """The survey as an SVG document, always in colour."""
    return picture("padcheck survey", view, lambda wide, console: print_survey(survey, wide, console))
