"""Turns every error into a message on stderr and a documented exit code.

This module imports nothing that is slow, so that Ctrl-C is handled early.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from padcheck.core import torchrun
from padcheck.core.errors import ISSUES, NotMeasuredError, PadcheckError, UsageError, memory_ran_out
from padcheck.core.exit_codes import ExitCode
from padcheck.core.version import __version__

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


@contextmanager
def exits(*, verbose: bool = False) -> Iterator[None]:
    """Ends the command with a documented exit code on any error. Python's own code, 1, would mean "findings"."""
    try:
        yield
    except PadcheckError as error:
        torchrun.unmute()  # a rank that gets here has failed before the ranks were joined
        _fail(error, verbose=verbose)
    except KeyboardInterrupt:
        _fail(NotMeasuredError("Interrupted: nothing was measured."), verbose=False)
    except MemoryError as error:
        _fail(memory_ran_out(), verbose=verbose, cause=error)
    except BrokenPipeError:
        leave_pipe()
        sys.exit(ExitCode.OK)
    except OSError as error:
        if error.errno not in _FULL:
            _fail_on_bug(error, verbose=verbose)
        _fail(
            UsageError(f"The output cannot be written: {error.strerror}.", change="Free some disk space."),
            verbose=verbose,
        )
    except Exception as error:  # noqa: BLE001  any other error is a bug in padcheck
        _fail_on_bug(error, verbose=verbose)


def leave_pipe() -> None:
    """Drops the buffered output. The reader, such as head or less, has closed the pipe, so flushing it would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: PadcheckError, *, verbose: bool, cause: BaseException | None = None) -> NoReturn:
    from rich.console import Console
    from rich.text import Text

    from padcheck.reporters.text.visible import visible_lines

    console = Console(stderr=True)
    message = Text.assemble(("padcheck: ", "bold red"), (visible_lines(error.what), "bold"))
    for part in (error.meaning, error.change):
        if part:
            message.append("\n" + visible_lines(part))
    console.print(message, soft_wrap=True)
    if verbose and (cause or error.__cause__):
        _print_traceback(cause or error)
    sys.exit(error.exit_code)


def _fail_on_bug(error: Exception, *, verbose: bool) -> NoReturn:
    torchrun.unmute()
    sys.stderr.write(f"padcheck: a bug in padcheck {__version__}: {type(error).__name__}: {error}\n")
    sys.stderr.write(f"Please report it at {ISSUES} with the command and the output of --verbose.\n")
    if verbose:
        _print_traceback(error)
    sys.exit(ExitCode.BUG)


def _print_traceback(error: BaseException) -> None:
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
