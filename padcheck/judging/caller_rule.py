"""The base class of the rules about the user's own code, which `padcheck run` watches."""

from collections.abc import Iterable
from typing import ClassVar

from padcheck.core.exit_codes import ExitCode
from padcheck.core.faults import Fault, WatchedCalls
from padcheck.core.run_report import CallerFinding
from padcheck.core.settings import JudgeSettings
from padcheck.judging.rule import Code


class CallerRule(Code):
    """One code, and what it says about a fault that was measured.

    Attributes:
        message: What happened, with the facts of the fault in braces.
        fix: What to change.
    """

    message: ClassVar[str]
    fix: ClassVar[str]

    def finding(self, fault: Fault, file: str, source: str) -> CallerFinding:
        """The fault as a finding.

        Args:
            fault: The fault.
            file: Its file, as it is shown.
            source: The text of its line.
        """
        return CallerFinding(
            code=self.code,
            name=self.name,
            severity=self.severity,
            message=self.message.format(**fault.facts),
            evidence=fault.facts,
            fix=self.fix,
            file=file,
            line=fault.place.line,
            source=source,
            ranks=() if fault.rank is None else (fault.rank,),
        )


def exit_code_of(findings: Iterable[CallerFinding], calls: WatchedCalls, judgement: JudgeSettings) -> ExitCode:
    """The exit code of a watched program that succeeded itself.

    Nothing was measured without a call of a model, or if all padded batches were of unknown rows.
    """
    if any(judgement.fails(finding.severity) and not finding.known for finding in findings):
        return ExitCode.FINDINGS
    only_unknown = calls.unknown > 0 and calls.padded == 0
    return ExitCode.OK if calls.of_a_model and not only_unknown else ExitCode.NOT_MEASURED
