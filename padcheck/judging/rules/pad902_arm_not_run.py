"""PAD902: A run raised an error."""

from padcheck.core.run_plans import USER_RUNS
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class ArmNotRun(Rule):
    """A run raised an error.

    Why it matters:
        What raises here raises in every script that pads on this side. Some models refuse right padding on purpose.

    How padcheck knows:
        The exception was caught, and is part of the evidence.

    Fix:
        Read the error: it names what the model's code does not accept.

    References:
        mosaicml/llm-foundry (MPT refuses right padding)
    """

    code = "PAD902"
    name = "arm-not-run"
    severity = Severity.ERROR
    suppressed_by = ("PAD104",)

    def decide(self, case: Case) -> Finding | None:
        """An error if the prompts alone or the left-padded batch raised, a warning if only the right-padded one did."""
        # A model may refuse a probe. That is no fault, and the rules that read the probe are skipped.
        errors = {
            name: run.error
            for name, run in case.evidence.runs.items()
            if run.error and name in USER_RUNS and case.use.pads(run.padding_side)
        }
        if not errors:
            return None
        only_right = set(errors) == {"right"}
        return self.found(
            f"The run{'s' if len(errors) > 1 else ''} {' and '.join(errors)} raised: {next(iter(errors.values()))}",
            severity=Severity.WARNING if only_right else self.severity,
            fix='tokenizer.padding_side = "left"  # before the prompts are tokenized'
            if only_right
            else "# see the error above: the model does not run like this",
            errors=errors,
        )
