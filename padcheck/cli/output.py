"""Writes progress to stderr, and the report to stdout or to files."""

import sys
import time
from textwrap import wrap
from typing import NoReturn

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from padcheck.cli.files import files_of, write_file
from padcheck.cli.streams import stderr_console
from padcheck.core.progress import Progress, Silent
from padcheck.core.report import Report
from padcheck.core.run_report import AnyDocument
from padcheck.core.settings import OutputSettings
from padcheck.judging.rule import Code
from padcheck.reporters import Format, View, render
from padcheck.running.shown_progress import Log, Terminal

_NARROWEST = 40
"""The smallest width in columns: some terminals report 0."""

_INDENT = " " * 4

_FILE_WIDTH = 120
"""The width in columns of a table that is written to a file."""


def progress_for(output: OutputSettings) -> Progress:
    """A changing line in a terminal, a line every ten seconds in a pipe, and nothing with --quiet."""
    if output.quiet or output.discarded:
        return Silent()
    # Rich's is_terminal would be True for a log file with FORCE_COLOR.
    return Terminal(stderr_console()) if sys.stderr.isatty() else Log(sys.stderr.write)


def write(document: AnyDocument, output: OutputSettings, *, is_new: bool = True) -> None:
    """Writes the report to its files, then to stdout.

    Args:
        document: The report.
        output: Where to write it.
        is_new: True if it was just measured: then its times include rendering. False for a saved report.

    Raises:
        UsageError: A file cannot be written.
    """
    if output.discarded:
        return
    began = time.perf_counter() if is_new else None
    for option, fmt, path in files_of(output):
        text = _rendered(document, fmt, View(width=_FILE_WIDTH, verbose=output.verbose), began)
        write_file(option, path, text, output)
    if output.path is None:
        console = _stdout_console()
        view = View(width=console.width, color=console.color_system is not None, verbose=output.verbose)
        sys.stdout.write(_rendered(document, Format(output.format), view, began))
        sys.stdout.flush()
    if output.verbose and isinstance(document, Report):
        _print_seconds(document.seconds | _rendering(began))


def _rendered(document: AnyDocument, fmt: Format, view: View, began: float | None) -> str:
    """The document in a format. The times of a new report in JSON include rendering."""
    text = render(document, fmt, view)
    if began is None or fmt is not Format.JSON or not isinstance(document, Report):
        return text
    return render(replace(document, seconds=document.seconds | _rendering(began)), fmt, view)


def _rendering(began: float | None) -> dict[str, float]:
    return {} if began is None else {"render": time.perf_counter() - began}


def _print_seconds(seconds: dict[str, float]) -> None:
    """Prints the time of each stage to stderr. A report of an older padcheck has no times."""
    if not seconds:
        return
    sys.stderr.write(f"where the {sum(seconds.values()):.1f} s went:\n")
    for stage, taken in seconds.items():
        sys.stderr.write(f"{taken:8.2f}  {stage}\n")


def finish(document: AnyDocument, output: OutputSettings, *, is_new: bool = True) -> NoReturn:
    """Writes the report and ends the command with its exit code."""
    write(document, output, is_new=is_new)
    sys.exit(document.exit_code)


def _stdout_console() -> Console:
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, _NARROWEST)
    return console


def print_rules(rules: tuple[Code, ...]) -> None:
    """Prints all codes as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("code", "severity", "name"):
        table.add_column(heading, no_wrap=True)
    table.add_column("meaning")
    for rule in rules:
        table.add_row(rule.code, rule.severity.value, rule.name, rule.title())
    _stdout_console().print(table)


def print_rule(rule: Code) -> None:
    """Prints the documentation of one code."""
    console = _stdout_console()
    console.print(Text(f"{rule.code} {rule.name} ({rule.severity.value})", style="bold"))
    console.print()
    console.print(Text(rule.title()))
    for heading, text in rule.sections():
        console.print()
        console.print(Text(heading))
        for part in text.splitlines():
            for line in wrap(part, console.width - len(_INDENT), break_long_words=False, break_on_hyphens=False):
                console.print(Text(_INDENT + line))
    console.print()
    console.print(Text(rule.url(), style="dim"), soft_wrap=True)
