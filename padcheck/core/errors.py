"""The ways in which a command ends without a report.

Every message says what happened, what it usually means and what to change. The exit code belongs to the kind of error,
so that no caller has to translate.
"""

from typing import ClassVar

from padcheck.core.exit_codes import ExitCode

HOME = "https://github.com/padcheck/padcheck"
ISSUES = f"{HOME}/issues"
"""Where a bug is reported."""


class PadcheckError(Exception):
    """An end that the user can do something about.

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
    """Nothing could be measured: not found, gated, offline, unreadable, out of memory."""

    exit_code = ExitCode.NOT_MEASURED


def memory_ran_out() -> NotMeasuredError:
    """What a bare MemoryError means, wherever it is caught."""
    return NotMeasuredError(
        "Memory ran out.",
        meaning="The model does not fit into this machine's memory.",
        change="Use --dtype bfloat16, --device-map auto, or --tiny for the architecture alone.",
    )
