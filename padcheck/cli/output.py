"""The command's side of the screen: progress on stderr, the report on stdout or in a file."""

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
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:  # noqa: ARG002
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


def require_writable(output: OutputSettings, *, baseline: Path | None = None) -> None:
    """Finds out before the run, not after it, that a report, or a baseline that is to be written, has nowhere to go.

    Raises:
        UsageError: A folder does not exist or cannot be written, or a path is a folder or given twice.
    """
    if output.discarded:
        return
    files = [(option, path) for option, _, path in _files(output)]
    seen: dict[Path, str] = {}
    for option, path in files if baseline is None else [*files, ("--baseline", baseline)]:
        if path.is_dir():
            raise UsageError(f"{option} {path} is a folder.", change="Name a file in it.")
        if not path.parent.is_dir():
            raise UsageError(
                f"The folder of {option} {path} does not exist.", change=f"Make it: mkdir -p {path.parent}"
            )
        if _own_stream(path) is sys.stdout and output.path is None and output.format != Format.TABLE:
            raise UsageError(
                f"{option} {path} is standard output, which --format {output.format} has to itself.",
                change="Write one of them to a file.",
            )
        # A file is replaced, not rewritten, so what counts is the folder.
        if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise UsageError(
                f"{option} {path} cannot be written.", change="Choose another place, or change its permissions."
            )
        if path.resolve() in seen:
            raise UsageError(
                f"{option} and {seen[path.resolve()]} name the same file, {path}.",
                change="Give each a file of its own.",
            )
        seen[path.resolve()] = option


def write(document: Document, output: OutputSettings, *, is_new: bool = True) -> None:
    """Writes the report wherever the user wants it, files first: a reader of stdout may leave early.

    Of one that `is_new` rendering is the last stage whose time is told.

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
    """The document in a format; where that tells how long all stages took, rendering is one of them."""
    text = render(document, fmt, view)
    if began is None or fmt is not Format.JSON or not isinstance(document, Report):
        return text
    return render(replace(document, seconds=document.seconds | _rendering(began)), fmt, view)


def _rendering(began: float | None) -> dict[str, float]:
    return {} if began is None else {"render": time.perf_counter() - began}


def _print_seconds(seconds: dict[str, float]) -> None:
    """Where the time went, on stderr: a line a stage; nothing where an older padcheck saved none."""
    if not seconds:
        return
    console = Console(stderr=True, markup=False, highlight=False)
    console.print(f"where the {sum(seconds.values()):.1f} s went:")
    for stage, taken in seconds.items():
        console.print(f"{taken:8.2f}  {stage}")


def finish(document: Document, output: OutputSettings, *, is_new: bool = True) -> NoReturn:
    """Writes the report and ends the command with its exit code, also where the reader has seen enough of it."""
    try:
        write(document, output, is_new=is_new)
    except BrokenPipeError:
        leave_pipe()
    sys.exit(document.exit_code)


def _files(output: OutputSettings) -> list[tuple[str, Format, Path]]:
    """Option, format and path of everything that is written to a file."""
    main = [("--output", Format(output.format), output.path)] if output.path is not None else []
    return main + [(f"--report {name}", Format(name), path) for name, path in output.reports.items()]


def write_file(option: str, path: Path, text: str, output: OutputSettings) -> None:
    """Writes all of a file or none of it, since a reader must never see half of one, and says so.

    Raises:
        UsageError: It cannot be written.
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
            _replace(path.resolve(), text)  # a link stays one
    except OSError as error:
        raise UsageError(
            f"{option} {path} cannot be written: {error.strerror or error}.", change="Choose another place."
        ) from error
    if not output.quiet:
        sys.stderr.write(f"wrote {path}\n")


def _own_stream(path: Path) -> TextIO | None:
    """Stdout or stderr, where the path is one of them: /dev/stdout may be a file that others write to as well."""
    return next((stream for stream in (sys.stdout, sys.stderr) if path.exists() and _is(path, stream)), None)


def _is(path: Path, stream: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except (OSError, ValueError):  # closed, or without a number
        return False


def _replace(path: Path, text: str) -> None:
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
