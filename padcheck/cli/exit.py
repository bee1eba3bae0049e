"""Every way in which a command ends: what it says on stderr, and the exit code of the contract.

Nothing heavy is imported here, so that Ctrl-C is caught as early as can be.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from padcheck import __version__
from padcheck.core import torchrun
from padcheck.core.errors import ISSUES, NotMeasuredError, PadcheckError, UsageError, memory_ran_out
from padcheck.core.exit_codes import ExitCode

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


@contextmanager
def exits(*, verbose: bool = False) -> Iterator[None]:
    """Every way out of a command ends in a code of the contract: Python's own 1 would read as "findings"."""
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
        _fail(UsageError(f"The output cannot be written: {error.strerror}.", change="Make room."), verbose=verbose)
    except Exception as error:  # noqa: BLE001  the last line of defence
        _fail_on_bug(error, verbose=verbose)


def leave_pipe() -> None:
    """The reader (head, less) has seen enough: what is still buffered must not be flushed at exit."""
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
    sys.stderr.write(f"Please report it at {ISSUES} with the command and what --verbose shows.\n")
    if verbose:
        _print_traceback(error)
    sys.exit(ExitCode.BUG)


def _print_traceback(error: BaseException) -> None:
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
