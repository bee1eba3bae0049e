"""What the terminal tables of a report, a check and a survey share: the verdicts, a finding and the conclusion."""

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from padcheck.core.report import Report, Status
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Verdict
from padcheck.reporters.report.wording.runs import is_expected
from padcheck.reporters.text.code import folded

_INDENT = " " * 4
EXPECTED_STYLE = "yellow"

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


def verdicts(report: Report, rows: Iterable[tuple[str, str, str]]) -> RenderableType:
    """The verdict on each run, with its reason; the rows come from the wording."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, verdict, reason in rows:
        style = EXPECTED_STYLE if is_expected(report, name) else VERDICT_STYLE[report.comparisons[name].verdict]
        table.add_row(Text(name), Text(verdict, style=style), Text(reason))
    return table


def finding_lines(same_fix: Sequence[Finding], console: Console, *, in_full: bool = True) -> list[Text]:
    """The lines of findings that share a fix: code and message of each, then the line to change once.

    A line of code stays whole, even if it is wider than the screen, so that it can be pasted.

    Args:
        same_fix: The findings.
        console: The console to print them on.
        in_full: False leaves the messages out.
    """
    lines = []
    for finding in same_fix:
        severity = (finding.severity.value, _SEVERITY_STYLE[finding.severity])
        known = (" (known)" if finding.known else "", "dim")
        lines.append(Text.assemble((finding.code, "bold"), " ", severity, " ", finding.name, known))
        if in_full:
            message = Text(finding.message).wrap(console, console.width - 2)
            lines += [Text("  ").append_text(line) for line in message]
    return lines + code_lines(same_fix[0].fix, console.width)


def code_lines(code: str, width: int) -> list[Text]:
    """Lines to paste, indented, and folded between statements."""
    lines = [part for line in code.split("\n") for part in folded(line, width - len(_INDENT))]
    return [Text(_INDENT + line, style="cyan") for line in lines]


def print_lines(lines: Iterable[Text], console: Console) -> None:
    """Prints lines that are folded already."""
    for line in lines:
        console.print(line, soft_wrap=True)


def print_finding(finding: Finding, console: Console) -> None:
    """Code, message and the line to change."""
    print_lines(finding_lines([finding], console), console)


def print_conclusion(text: str, status: Status, console: Console) -> None:
    """The verdict in one sentence, in the colour of its status."""
    console.print(Text(text, style=STATUS_STYLE[status]))
