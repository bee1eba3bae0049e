"""The command's side of the screen: progress on stderr, the report on stdout or in a file."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from padcheck.checks import Rule
from padcheck.endings import leave_pipe
from padcheck.errors import UsageError
from padcheck.progress import Progress, Silent
from padcheck.report import Report, Survey
from padcheck.reporters import Format, View, render
from padcheck.settings import OutputSettings

_NARROWEST = 40
"""Columns below which nothing can be read, such as the 0 that some terminals report."""

_INDENT = " " * 4

_FILE_WIDTH = 120
"""Columns of a table that is written to a file, where no terminal says how many there are."""


class Spinner:
    """Shows the current stage on stderr while it runs."""

    is_watched = True

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, description: str, *, downloads: bool = False) -> Iterator[None]:
        """A spinner that leaves nothing behind; where downloads draw bars of their own, a line above them."""
        if downloads:
            self._console.print(Text(description, style="dim"))
            yield
        else:
            with self._console.status(Text(description)):
                yield

    @contextmanager
    def steps(self, description: str, total: int) -> Iterator[Callable[[str], None]]:
        """How many are done, and which was the last; nothing is left behind."""
        done = 0
        with self._console.status(Text(f"{description} {total}")) as status:

            def step(name: str) -> None:
                nonlocal done
                done += 1
                status.update(Text(f"{description} {done} of {total}: {name}"))

            yield step


def progress_for(output: OutputSettings) -> Progress:
    """A spinner where stderr is a terminal and --quiet is not given; else nothing."""
    # Not Rich's own answer, which FORCE_COLOR can make True for a log file.
    return Spinner(Console(stderr=True)) if sys.stderr.isatty() and not output.quiet else Silent()


def require_writable(path: Path | None) -> None:
    """Finds out before the run, not after it, that the report has nowhere to go.

    Raises:
        UsageError: The folder does not exist or cannot be written, or the path is a folder.
    """
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--output {path} is a folder.", change="Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"The folder of --output {path} does not exist.", change=f"Make it: mkdir -p {path.parent}")
    # A file is replaced, not rewritten, so what counts is the folder.
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(
            f"--output {path} cannot be written.", change="Choose another place, or change its permissions."
        )


def write(report: Report | Survey, output: OutputSettings) -> None:
    """Writes the report where the user wants it.

    Raises:
        UsageError: The file cannot be written.
    """
    if output.path is None:
        console = Console()
        view = View(
            width=max(console.width, _NARROWEST), color=console.color_system is not None, verbose=output.verbose
        )
        sys.stdout.write(render(report, Format(output.format), view))
        sys.stdout.flush()
        return
    text = render(report, Format(output.format), View(width=_FILE_WIDTH, verbose=output.verbose))
    try:
        _replace(output.path, text)
    except OSError as error:
        raise UsageError(
            f"--output {output.path} cannot be written: {error.strerror or error}.", change="Choose another place."
        ) from error
    if not output.quiet:
        sys.stderr.write(f"wrote {output.path}\n")


def finish(report: Report | Survey, output: OutputSettings) -> NoReturn:
    """Writes the report and ends the command with its exit code, also where the reader has seen enough of it."""
    try:
        write(report, output)
    except BrokenPipeError:
        leave_pipe()
    sys.exit(report.exit_code)


def _replace(path: Path, text: str) -> None:
    """All of the file or none of it: a reader never sees half a report."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")  # /dev/stdout, a named pipe
        return
    path = path.resolve()  # a link stays one
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        written = Path(folder) / path.name
        written.write_text(text, encoding="utf-8")
        if path.exists():
            written.chmod(path.stat().st_mode)
        written.replace(path)


def print_rules(rules: tuple[Rule, ...]) -> None:
    """The codes as a table on stdout."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("code", "severity", "name"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it says")
    for rule in rules:
        table.add_row(rule.code, rule.severity.value, rule.name, rule.title())
    Console(markup=False, highlight=False).print(table)


def print_rule(rule: Rule) -> None:
    """One code's documentation on stdout."""
    console = Console(markup=False, highlight=False)
    console.print(Text(f"{rule.code} {rule.name} ({rule.severity.value})", style="bold"))
    console.print()
    console.print(Text(rule.title()))
    for heading, text in rule.sections():
        console.print()
        console.print(Text(heading))
        for line in wrap(text, console.width - len(_INDENT), break_long_words=False, break_on_hyphens=False):
            console.print(Text(_INDENT + line))
