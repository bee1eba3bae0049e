"""The errors with which a command ends without a report.

Each message says what happened, what it usually means and what to change. Each class of error has its exit code.
"""

from typing import ClassVar

from padcheck.core.exit_codes import ExitCode

HOME = "https://github.com/padcheck/padcheck"
ISSUES = f"{HOME}/issues"
"""Where users report bugs."""


class PadcheckError(Exception):
    """An error that the user can do something about.

    Args:
        what: What happened, in one sentence.
        meaning: What it usually means.
        change: What to change.
    """

    exit_code: ClassVar[ExitCode]

    def __init__(self, what: str, *, meaning: str = "", change: str = "") -> None:
        super().__init__("\n".join(part for part in (what, meaning, change) if part))
        self.what = what
        self.meaning = meaning
        self.change = change


class UsageError(PadcheckError):
    """The command line, a prompts file or the configuration is wrong."""

    exit_code = ExitCode.USAGE


class NotMeasuredError(PadcheckError):
    """Nothing could be measured: the model is missing, gated, unreadable or too large, or the hub is offline."""

    exit_code = ExitCode.NOT_MEASURED


def memory_ran_out() -> NotMeasuredError:
    """The error to show for a bare MemoryError."""
    return NotMeasuredError(
        "Memory ran out.",
        meaning="The model does not fit into this machine's memory.",
        change="Use --dtype bfloat16 or --device-map auto, or --tiny to test only the architecture.",
    )


def caused_by_the_machine(error: Exception) -> NotMeasuredError | None:
    """The error to show if memory, a file or a limit of the operating system is the cause; None if it is a bug."""
    if isinstance(error, MemoryError):
        return memory_ran_out()
    if isinstance(error, OSError):
        reason = error.strerror or error
        return NotMeasuredError(
            f"{reason}." if error.filename is None else f"{error.filename}: {reason}.",
            meaning="The operating system refused to read or write a file, or a limit was reached.",
            change="Check the names, the free disk space and the limits (ulimit -a).",
        )
    return None
