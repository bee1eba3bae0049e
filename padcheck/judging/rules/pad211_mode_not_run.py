"""PAD211: A mode that was asked for did not run."""

from typing import NamedTuple

from padcheck.core.modes import ModeName
from padcheck.core.run_plans import RunName
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.modes import ModeRule, asked_for
from padcheck.judging.rule import EQUAL_LENGTH


class _Failed(NamedTuple):
    """A run of a mode that gave nothing to compare, and how bad that is."""

    run: RunName
    reason: str
    severity: Severity


class ModeNotRun(ModeRule):
    """A mode that was asked for did not run.

    Why it matters:
        Nothing is known about this mode. transformers refuses some modes for some models, which is no fault. An error
        from the model's own code ends every script that uses the mode. If it comes with left padding only, the mode
        works for one prompt and ends with the first batch.

    How padcheck knows:
        The exception was caught, and is part of the evidence. It is an info if it came before the model ran, a warning
        if the model's code raised for a prompt alone, and an error if it raised for the left-padded batch only.

    Fix:
        Read the error: it names what the library or the model's code does not accept.

    References:
        huggingface/transformers#28981
    """

    code = "PAD211"
    name = "mode-not-run"
    severity = Severity.WARNING
    suppressed_by = ("PAD104", "PAD902")
    tasks = ("generate",)

    def decide(self, case: Case) -> Finding | None:
        """Fires if a run of a mode raised, or had no prompt that it could run."""
        failed = {name: found for name, _ in asked_for(case) if (found := _failed(case, name)) is not None}
        if not failed:
            return None
        severity = max((each.severity for each in failed.values()), key=lambda severity: severity.rank)
        only_padded = [name for name, each in failed.items() if each.severity is Severity.ERROR]
        return self.found(
            "; ".join(f"{name} did not run: {each.reason}" for name, each in failed.items()),
            severity=severity,
            fix=f"# with {' or '.join(only_padded)}: {EQUAL_LENGTH}, until the model's code is fixed"
            if only_padded
            else "# see the error: the model does not run like this",
            modes={name: {"arm": each.run, "error": each.reason} for name, each in failed.items()},
        )


def _failed(case: Case, name: ModeName) -> _Failed | None:
    """The first run of the mode that gave nothing to compare."""
    mode = dict(asked_for(case))[name]
    for run in (mode.alone, mode.left):
        result = case.evidence.runs.get(run)
        if result is None or case.ran(run):
            continue
        reason = result.error or "no prompt has enough tokens"
        if result.refused or result.error is None:
            return _Failed(run, reason, Severity.INFO)
        return _Failed(run, reason, Severity.WARNING if run == mode.alone else Severity.ERROR)
    return None
