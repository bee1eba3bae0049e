"""A watched program for a person at a terminal."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from padcheck.core.run_report import Run
from padcheck.reporters.report.blocks import print_conclusion, print_finding
from padcheck.reporters.run import wording
from padcheck.reporters.text.layout import captured, pairs, section_title
from padcheck.reporters.text.view import View


def render(run: Run, view: View) -> str:
    """The run as text, with ANSI colours if the view has colour."""
    return captured(view, lambda console: print_run(run, console))


def print_run(run: Run, console: Console) -> None:
    """Prints each finding after its line of code, and the conclusion last."""
    section_title(console, f"padcheck run {wording.title(run)}")
    for finding in run.findings:
        ranks = wording.in_ranks(finding)
        place = Text.assemble((wording.place(finding), "bold"), ranks, "  ", (finding.source, "dim"))
        console.print(place, soft_wrap=True)
        print_finding(finding, console)
        console.print()
    if further := wording.further(run):
        console.print(Padding(pairs(further), (0, 0, 1, 0)))
    print_conclusion(wording.conclusion(run), run.status, console)
