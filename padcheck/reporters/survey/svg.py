"""A survey's table as a picture."""

from dataclasses import replace

from padcheck.report import Survey
from padcheck.reporters.survey.table import print_survey
from padcheck.reporters.view import View


def render(survey: Survey, view: View) -> str:
    """The survey as an SVG document, always in colour."""
    view = replace(view, color=True)
    console = view.console(record=True)
    print_survey(survey, view, console)
    return console.export_svg(title="padcheck survey")
