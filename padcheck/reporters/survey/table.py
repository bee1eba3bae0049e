"""A survey for a person at a terminal; the summary comes last."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Architecture, Survey
from padcheck.reporters.report.blocks import print_conclusion, print_finding
from padcheck.reporters.survey import wording
from padcheck.reporters.text.layout import captured, pairs, section
from padcheck.reporters.text.view import View


def render(survey: Survey, view: View) -> str:
    """The survey as text, with ANSI colours if the view has colour."""
    return captured(view, lambda console: print_survey(survey, view, console))


def print_survey(survey: Survey, view: View, console: Console) -> None:
    """Prints every section of the survey."""
    section(console, "padcheck survey", pairs(wording.header(survey)))
    if architectures := wording.lines(survey):
        section(console, wording.TITLE, _architectures(architectures, wording.columns(survey)))
        console.print()
        console.print(pairs(wording.legend(survey)), style="dim")
    if view.verbose:
        for architecture in wording.lines(survey):
            if architecture.details:
                section(console, architecture.name, Text(architecture.architecture or "", style="dim"))
                for finding in architecture.details:
                    console.print()
                    print_finding(finding, console)
    if limits := wording.known_limits(survey):
        lines = [f"{model_types}: {reason}" for model_types, reason in limits]
        section(console, wording.LIMITS_TITLE, Text("\n".join(lines)))
    if reasons := wording.not_judged(survey):
        section(console, wording.NOT_JUDGED_TITLE, pairs(reasons))
    if wording.judged(survey):
        section(console, "Summary", pairs(wording.tally(survey)))
    console.print()
    print_conclusion(wording.conclusion(survey), survey.status, console)


def _architectures(architectures: list[Architecture], columns: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("model type", no_wrap=True)
    table.add_column("positions", no_wrap=True)
    for heading in columns.values():
        table.add_column(heading.replace(" ", "\n", 1).replace("-", "-\n", 1), no_wrap=True, justify="right")
    table.add_column("findings", overflow="fold", min_width=len("PAD000"))
    for architecture in architectures:
        cells = [_cell(architecture, name) for name in columns]
        codes = Text(" ".join(wording.codes(architecture)))
        table.add_row(Text(wording.short_name(architecture)), Text(architecture.position_encoding or ""), *cells, codes)
    return table


def _cell(architecture: Architecture, name: str) -> Text:
    text = wording.cell(architecture, name)
    if name == wording.WITHOUT_MASK or text in ("not run", wording.NO_CLASS):
        return Text(text, style="dim")
    wrong, right = wording.is_wrong(architecture, name), wording.is_right(architecture, name)
    return Text(text, style="red" if wrong else "green" if right else "yellow")
