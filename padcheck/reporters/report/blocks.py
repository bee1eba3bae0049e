"""What the terminal tables of a report, a check and a survey share: the verdicts, a finding and the conclusion."""

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Finding, Report, Status, Verdict
from padcheck.core.severity import Severity
from padcheck.reporters.report.wording import verdicts as wording

STATUS_STYLE: dict[Status, str] = {
    "pass": "bold green",
    "fail": "bold red",
    "not_measured": "bold yellow",
    "error": "bold red",
}
VERDICT_STYLE = {
    Verdict.IDENTICAL: "green",
    Verdict.EQUIVALENT: "green",
    Verdict.DIFFERENT: "bold red",
    Verdict.NON_FINITE: "bold red",
    Verdict.NOT_RUN: "bold yellow",
}
_SEVERITY_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}


def verdicts(report: Report) -> RenderableType:
    """The verdict on each user run, with its reason."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, verdict, reason in wording.rows(report):
        table.add_row(Text(name), Text(verdict, style=VERDICT_STYLE[report.comparisons[name].verdict]), Text(reason))
    return table


def print_finding(finding: Finding, console: Console) -> None:
    """Code, message and the line to change."""
    console.print(
        Text.assemble(
            (finding.code, "bold"),
            " ",
            (finding.severity.value, _SEVERITY_STYLE[finding.severity]),
            " ",
            finding.name,
            (" (known)" if finding.known else "", "dim"),
        )
    )
    console.print(Padding(Text(finding.message), (0, 0, 0, 2)))
    for line in finding.fix.split("\n"):
        # Neither folded nor cut, so that the line can be pasted.
        console.print(Text("    " + line, style="cyan"), soft_wrap=True)


def print_conclusion(text: str, status: Status, console: Console) -> None:
    """The verdict in one sentence, in the colour of its status."""
    console.print(Text(text, style=STATUS_STYLE[status]))
