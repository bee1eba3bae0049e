"""What the exit code of a command means. Scripts and CI jobs rely on these numbers."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The promise to the shell; of several outcomes the gravest of BUG, NOT_MEASURED, FINDINGS, OK wins."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOT_MEASURED = 3
    BUG = 4
