"""PAD902."""

from padcheck.core.report import Finding
from padcheck.core.run_plans import USER_RUNS
from padcheck.core.severity import Severity
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class ArmNotRun(Rule):
    """An arm raised; the error is kept.

    Why it matters:
        What raises here raises in every script that pads on this side. Some models refuse right padding on purpose.

    How padcheck knows:
        The arm was run, and the exception is in the evidence.

    Fix:
        Read the error: it names what the model's code does not take.

    References:
        mosaicml/llm-foundry (MPT refuses right padding)
    """

    code = "PAD902"
    name = "arm-not-run"
    severity = Severity.ERROR
    suppressed_by = ("PAD104",)

    def decide(self, case: Case) -> Finding | None:
        """An error where the reference or the left arm raised, a warning where only the right one did."""
        # A probe that a model does not take is no fault of it; the rules that need it are skipped.
        errors = {
            name: arm.error
            for name, arm in case.evidence.runs.items()
            if arm.error and name in USER_RUNS and case.use.pads(arm.padding_side)
        }
        if not errors:
            return None
        only_right = set(errors) == {"right"}
        return self.found(
            f"The {' and the '.join(errors)} arm raised: {next(iter(errors.values()))}",
            severity=Severity.WARNING if only_right else self.severity,
            fix='tokenizer.padding_side = "left"  # before the prompts are tokenized'
            if only_right
            else "# see the error above: the model does not run like this",
            errors=errors,
        )
