"""The exit codes of the commands. Scripts and CI jobs rely on these numbers."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. Of several models the largest code wins.

    Attributes:
        OK: Every model passed.
        FINDINGS: A finding is at or above --fail-on.
        USAGE: The command line, a prompts file or the configuration is wrong.
        NOT_MEASURED: Nothing could be measured, or the measurement allows no verdict.
        BUG: padcheck itself failed.
    """

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOT_MEASURED = 3
    BUG = 4


class ProgramExitCode(int):
    """The exit code of a user's own program, which `padcheck run` passes on."""
