"""The short report on one model: the verdicts, and in full only the findings that need action."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from padcheck.core.report import Report, Unmeasured
from padcheck.reporters.report.blocks import print_conclusion, print_finding, verdicts
from padcheck.reporters.report.wording import findings, what_was_run
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.report.wording.verdicts import brief
from padcheck.reporters.text.layout import captured
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import made_visible


def render(report: Report | Unmeasured, view: View) -> str:
    """The short report as text."""
    return captured(view, lambda console: print_short(made_visible(report), console))


def print_short(report: Report | Unmeasured, console: Console) -> None:
    """Prints conclusion, verdicts and findings; the findings that need no action only by name."""
    print_conclusion(conclusion(report), report.status, console)
    if isinstance(report, Unmeasured):
        for line in report.error.lines[1:]:
            console.print(Padding(Text(line), (0, 0, 0, 2)))
        return
    console.print(Text(what_was_run.short_header(report), style="dim"))
    for label, text in what_was_run.limits(report.evidence):
        console.print(Text(f"{label}: {text}", style="dim"))
    if report.comparisons:
        console.print(verdicts(report, brief(report)))
    in_full, by_name = findings.sort_out(report)
    for finding in in_full:
        console.print()
        print_finding(finding, console)
    if by_name:
        console.print()
        console.print(Text(f"also: {', '.join(by_name)}", style="dim"))
