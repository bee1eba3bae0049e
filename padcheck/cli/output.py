"""Writes progress to stderr, and the report to stdout or to files."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import NoReturn, TextIO

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from padcheck.cli.exit import leave_pipe
from padcheck.core.errors import UsageError
from padcheck.core.progress import Progress, Silent
from padcheck.core.report import Document, Report
from padcheck.core.settings import OutputSettings
from padcheck.judging.rules import Rule
from padcheck.reporters import Format, View, render

_NARROWEST = 40
"""The smallest width in columns: some terminals report 0."""

_INDENT = " " * 4

_FILE_WIDTH = 120
"""The width in columns of a table that is written to a file."""


class Spinner:
    """Shows the current stage on stderr."""

    is_watched = True

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:  # noqa: ARG002
        """Shows a spinner that disappears at the end. If libraries show download bars, a line above them instead."""
        if downloads:
            self._console.print(Text(description, style="dim"))
            yield
        else:
            with self._console.status(Text(description)):
                yield

    @contextmanager
    def steps(self, description: str, total: int) -> Iterator[Callable[[str], None]]:
        """Shows how many steps are done, and the last one. The line disappears at the end."""
        done = 0
        with self._console.status(Text(f"{description} {total}")) as status:

            def step(name: str) -> None:
                nonlocal done
                done += 1
                status.update(Text(f"{description} {done} of {total}: {name}"))

            yield step


def progress_for(output: OutputSettings) -> Progress:
    """A spinner if stderr is a terminal and --quiet is not given."""
    # Rich's is_terminal would be True for a log file with FORCE_COLOR.
    return Spinner(Console(stderr=True)) if sys.stderr.isatty() and not output.quiet else Silent()


def require_writable(output: OutputSettings, *, baseline: Path | None = None) -> None:
    """Checks before the run that every report, and a baseline to write, can be written.

    Raises:
        UsageError: A folder does not exist or is not writable, or a path is a folder or occurs twice.
    """
    if output.discarded:
        return
    files = [(option, path) for option, _, path in _files(output)]
    seen: dict[Path, str] = {}
    for option, path in files if baseline is None else [*files, ("--baseline", baseline)]:
        if path.is_dir():
            raise UsageError(f"{option} {path} is a folder.", change="Give a file in it.")
        if not path.parent.is_dir():
            raise UsageError(
                f"The folder of {option} {path} does not exist.", change=f"Create it: mkdir -p {path.parent}"
            )
        if _own_stream(path) is sys.stdout and output.path is None and output.format != Format.TABLE:
            raise UsageError(
                f"{option} {path} is standard output, which --format {output.format} already uses.",
                change="Write one of them to a file.",
            )
        # A file is replaced, not rewritten, so the folder must be writable.
        if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise UsageError(
                f"{option} {path} cannot be written.", change="Choose another path, or change the permissions."
            )
        if path.resolve() in seen:
            raise UsageError(
                f"{option} and {seen[path.resolve()]} name the same file, {path}.",
                change="Give each one a different file.",
            )
        seen[path.resolve()] = option


def write(document: Document, output: OutputSettings, *, is_new: bool = True) -> None:
    """Writes the report to its files, then to stdout. Stdout comes last, since its reader may close it early.

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
    for option, fmt, path in _files(output):
        text = _rendered(document, fmt, View(width=_FILE_WIDTH, verbose=output.verbose), began)
        write_file(option, path, text, output)
    if output.path is None:
        console = Console()
        view = View(
            width=max(console.width, _NARROWEST), color=console.color_system is not None, verbose=output.verbose
        )
        sys.stdout.write(_rendered(document, Format(output.format), view, began))
        sys.stdout.flush()
    if output.verbose and isinstance(document, Report):
        _print_seconds(document.seconds | _rendering(began))


def _rendered(document: Document, fmt: Format, view: View, began: float | None) -> str:
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
    console = Console(stderr=True, markup=False, highlight=False)
    console.print(f"where the {sum(seconds.values()):.1f} s went:")
    for stage, taken in seconds.items():
        console.print(f"{taken:8.2f}  {stage}")


def finish(document: Document, output: OutputSettings, *, is_new: bool = True) -> NoReturn:
    """Writes the report and ends the command with its exit code, also if the reader closes stdout early."""
    try:
        write(document, output, is_new=is_new)
    except BrokenPipeError:
        leave_pipe()
    sys.exit(document.exit_code)


def _files(output: OutputSettings) -> list[tuple[str, Format, Path]]:
    """Option, format and path of each file to write."""
    main = [("--output", Format(output.format), output.path)] if output.path is not None else []
    return main + [(f"--report {name}", Format(name), path) for name, path in output.reports.items()]


def write_file(option: str, path: Path, text: str, output: OutputSettings) -> None:
    """Writes a whole file or nothing, so that a reader never sees half of one, and reports it on stderr.

    Raises:
        UsageError: The file cannot be written.
    """
    if output.discarded:
        return
    try:
        if (stream := _own_stream(path)) is not None:
            stream.write(text)
            stream.flush()
        elif path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # a named pipe
        else:
            _replace(path.resolve(), text)  # resolve(): a link stays a link
    except OSError as error:
        raise UsageError(
            f"{option} {path} cannot be written: {error.strerror or error}.", change="Choose another path."
        ) from error
    if not output.quiet:
        sys.stderr.write(f"wrote {path}\n")


def _own_stream(path: Path) -> TextIO | None:
    """Stdout or stderr if the path is one of them, such as /dev/stdout, so that their file is not replaced."""
    return next((stream for stream in (sys.stdout, sys.stderr) if path.exists() and _is(path, stream)), None)


def _is(path: Path, stream: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except (OSError, ValueError):  # the stream is closed or has no file descriptor
        return False


def _replace(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        written = Path(folder) / path.name
        written.write_text(text, encoding="utf-8")
        if path.exists():
            written.chmod(path.stat().st_mode)
        written.replace(path)


def print_rules(rules: tuple[Rule, ...]) -> None:
    """Prints all codes as a table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("code", "severity", "name"):
        table.add_column(heading, no_wrap=True)
    table.add_column("meaning")
    for rule in rules:
        table.add_row(rule.code, rule.severity.value, rule.name, rule.title())
    Console(markup=False, highlight=False).print(table)


def print_rule(rule: Rule) -> None:
    """Prints the documentation of one code."""
    console = Console(markup=False, highlight=False)
    console.print(Text(f"{rule.code} {rule.name} ({rule.severity.value})", style="bold"))
    console.print()
    console.print(Text(rule.title()))
    for heading, text in rule.sections():
        console.print()
        console.print(Text(heading))
        for line in wrap(text, console.width - len(_INDENT), break_long_words=False, break_on_hyphens=False):
            console.print(Text(_INDENT + line))
