"""Makes stdout and stderr safe to write to, for padcheck and for the libraries it uses.

All text on its way to stderr passes here. Escape sequences in it are spelled out, because they may come from a file
name, a model or an environment variable. An stderr that cannot be written is ignored: it must not change the exit code.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from padcheck.core.errors import UsageError
from padcheck.reporters.text.visible import visible_lines

if TYPE_CHECKING:
    from rich.console import Console

_PROGRESS_BAR = re.compile(r"\r|(\x1b\[A)+\Z|")
"""How a progress bar of tqdm moves the cursor: to the start of the line, or up in a write without text."""


class _Sink(io.RawIOBase):
    """Writes bytes to a stream, and decides what an error means."""

    def __init__(self, stream: TextIO) -> None:
        binary = stream.buffer
        self._raw: Any = getattr(
            binary, "raw", binary
        )  # without the buffer, which would keep what could not be written

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any) -> int:
        try:
            written = self._raw.write(data)
        except OSError as error:
            self._failed(error)
            return len(data)
        return len(data) if written is None else int(written)

    def _failed(self, error: OSError) -> None:
        """Ignores the error."""


class _Stdout(_Sink):
    def _failed(self, error: OSError) -> None:
        """Ignores a reader, such as head or less, that has seen enough.

        Raises:
            UsageError: Any other error: the report would be lost.
        """
        if not isinstance(error, BrokenPipeError):
            raise UsageError(
                f"Standard output cannot be written: {error.strerror or error}.",
                change="Free some disk space, or write to another file.",
            ) from error


class _Stderr(io.TextIOWrapper):
    """Stderr for texts from anywhere.

    Attributes:
        styled: The same stream for texts that are safe already, with colours.
    """

    styled: TextIO

    def write(self, text: str) -> int:
        moves = _PROGRESS_BAR.match(text)
        start = moves.end() if moves else 0
        super().write(text[:start] + visible_lines(text[start:]))
        return len(text)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Replaces sys.stdout and sys.stderr within the context."""
    before = sys.stdout, sys.stderr, sys.__stderr__
    out, err = (_open_stream(stream) for stream in before[:2])
    stderr = _wrapped(err, _Sink(err), _Stderr)
    stderr.styled = _wrapped(err, _Sink(err), io.TextIOWrapper)
    stdout = _wrapped(out, _Stdout(out), io.TextIOWrapper)
    stdout.original, stderr.original = before[:2]
    sys.stdout = stdout
    sys.stderr = vars(sys)["__stderr__"] = stderr  # torchrun.unmute() reads the second
    try:
        yield
    finally:
        sys.stdout, sys.stderr, vars(sys)["__stderr__"] = before


@contextmanager
def original_streams() -> Iterator[None]:
    """Within the context, within `safe_streams`, sys.stdout and sys.stderr are those that the process started with."""
    before = sys.stdout, sys.stderr, sys.__stderr__
    sys.stdout, sys.stderr = (getattr(stream, "original", stream) for stream in before[:2])
    vars(sys)["__stderr__"] = sys.stderr
    try:
        yield
    finally:
        with suppress(AttributeError, OSError, ValueError):  # the program closed it, or set it to None
            sys.stdout.flush()
        sys.stdout, sys.stderr, vars(sys)["__stderr__"] = before


def stderr_console() -> "Console":
    """A console on stderr. What it prints is not escaped, so give it only text that `visible` has made safe."""
    from rich.console import Console

    return Console(file=getattr(sys.stderr, "styled", sys.stderr), markup=False, highlight=False)


def _open_stream(stream: TextIO | None) -> TextIO:
    """The stream. One that the caller closed, as in `padcheck rules >&-`, is None: os.devnull instead."""
    return Path(os.devnull).open("w", encoding="utf-8") if stream is None else stream


def _wrapped(stream: TextIO, sink: _Sink, kind: Any) -> Any:
    # A stream that is not UTF-8 gets an escape sequence instead of raising UnicodeEncodeError.
    return kind(io.BufferedWriter(sink), encoding=stream.encoding, errors="backslashreplace", line_buffering=True)
