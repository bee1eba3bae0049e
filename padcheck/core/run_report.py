"""The result of `padcheck run`: what a user's program does wrong with padding, at which line."""

from typing import Literal

import msgspec

from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import Count, Environment, Size
from padcheck.core.faults import WatchedCalls
from padcheck.core.recording import Widened
from padcheck.core.report import Document, Status
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Code, Finding


class CallerFinding(Finding, frozen=True, kw_only=True):
    """A mistake in the user's code.

    Attributes:
        file: The file, as seen from the root of its repository.
        line: The line, counted from 1.
        source: The text of that line; empty if it cannot be read.
        ranks: The processes in which it was seen, if a launcher has started several.
    """

    file: str
    line: Size
    source: str
    ranks: tuple[Count, ...] = ()


class KnownLine(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake that a baseline accepts, up to this severity. It is known by its text, so it may move to another line.

    Attributes:
        script: The program in which it was seen.
        file: The file, as seen from the root of its repository.
        source: The text of the line.
        code: The code.
        severity: The highest severity that is accepted.
    """

    script: str
    file: str
    source: str
    code: Code
    severity: Severity


class Suppressed(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a comment in the user's code accepts, and the reason there."""

    code: Code
    file: str
    line: Size
    reason: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen while a program ran.

    Attributes:
        script: The program: a file, or a module after `-m`. Empty if only a part of a program was watched.
        argv: Its arguments.
        script_exit_code: Its own exit code; 0 if it succeeded.
        calls: How many calls were watched.
        findings: The mistakes, in the order of file and line.
        suppressed: The mistakes that comments accept.
        notes: What could not be checked, and why.
        widened: What it says with wider batches; None if it did not run with them.
    """

    command: Literal["run"] = "run"
    status: Status
    exit_code: ExitCode
    script: str
    argv: tuple[str, ...] = ()
    script_exit_code: int = 0
    judgement: JudgeSettings = msgspec.field(default_factory=JudgeSettings)
    environment: Environment
    calls: WatchedCalls
    findings: tuple[CallerFinding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    notes: tuple[str, ...] = ()
    widened: Widened | None = None


AnyDocument = Document | Run
"""The result of any command."""
