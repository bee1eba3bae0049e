"""The short report of one model: the verdict, and in full only what somebody has to do something about."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from padcheck.core.report import Report, Unmeasured
from padcheck.reporters.report import wording
from padcheck.reporters.report.conclusion import conclusion, sorted_out
from padcheck.reporters.report.verdicts import verdicts
from padcheck.reporters.text.layout import STATUS_STYLE, captured, print_finding
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible_lines


def render(report: Report | Unmeasured, view: View) -> str:
    """The short report as text."""
    return captured(view, lambda console: print_short(report, console))


def print_short(report: Report | Unmeasured, console: Console) -> None:
    """Prints conclusion, verdicts and findings; of those that are known or only worth knowing the codes alone."""
    console.print(Text(conclusion(report), style=STATUS_STYLE[report.status]))
    if isinstance(report, Unmeasured):
        for line in report.error.lines[1:]:
            console.print(Padding(Text(visible_lines(line)), (0, 0, 0, 2)))
        return
    console.print(Text(" | ".join(value for _, value in wording.header(report)[1:4]), style="dim"))
    if report.comparisons:
        console.print(verdicts(report))
    shown, named = sorted_out(report)
    for finding in shown:
        console.print()
        print_finding(finding, console)
    if named:
        console.print()
        console.print(Text(f"also: {', '.join(named)}", style="dim"))
