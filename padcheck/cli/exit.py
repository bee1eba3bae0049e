"""Turns every error into a message on stderr and a documented exit code.

This module imports nothing that is slow, so that Ctrl-C is handled early.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from padcheck.cli.streams import stderr_console
from padcheck.core import torchrun
from padcheck.core.errors import ISSUES, NotMeasuredError, PadcheckError, caused_by_the_machine
from padcheck.core.exit_codes import ExitCode, ProgramExitCode
from padcheck.core.version import __version__
from padcheck.reporters.text.visible import visible_lines

_INTERRUPTED = 130
"""Typer's exit code for Ctrl-C."""


@contextmanager
def exits(*, verbose: bool = False) -> Iterator[None]:
    """Ends the command with a documented exit code on any error. Python's own code, 1, would mean "findings"."""
    try:
        yield
    except KeyboardInterrupt:
        _fail(NotMeasuredError("Interrupted: nothing was measured."), verbose=False)
    except Exception as error:  # noqa: BLE001  any other error is a bug in padcheck
        torchrun.unmute()  # a rank that gets here has failed before the ranks were joined
        if isinstance(error, PadcheckError):
            _fail(error, verbose=verbose, cause=error if error.__cause__ else None)
        explained = caused_by_the_machine(error)
        if explained is not None:
            _fail(explained, verbose=verbose, cause=error)
        _fail_on_bug(error, verbose=verbose)


@contextmanager
def exit_codes_of_typer() -> Iterator[None]:
    """Replaces the exit codes of Typer itself by those of padcheck."""
    try:
        yield
    except SystemExit as ended:
        is_of_typer = not isinstance(ended.code, ExitCode | ProgramExitCode)
        if is_of_typer and ended.code == _INTERRUPTED:
            raise KeyboardInterrupt from None
        if is_of_typer and ended.code == 1:  # as for --install-completion in an unknown shell
            sys.exit(ExitCode.USAGE)
        raise


def _fail(error: PadcheckError, *, verbose: bool, cause: BaseException | None = None) -> NoReturn:
    from rich.text import Text

    message = Text.assemble(("padcheck: ", "bold red"), (visible_lines(error.what), "bold"))
    for part in (error.meaning, error.change):
        if part:
            message.append("\n" + visible_lines(part))
    stderr_console().print(message, soft_wrap=True)
    if verbose and cause is not None:
        _print_traceback(cause)
    sys.exit(error.exit_code)


def _fail_on_bug(error: Exception, *, verbose: bool) -> NoReturn:
    sys.stderr.write(f"padcheck: a bug in padcheck {__version__}: {type(error).__name__}: {error}\n")
    sys.stderr.write(f"Please report it at {ISSUES} with the command and the output of --verbose.\n")
    if verbose:
        _print_traceback(error)
    sys.exit(ExitCode.BUG)


def _print_traceback(error: BaseException) -> None:
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
