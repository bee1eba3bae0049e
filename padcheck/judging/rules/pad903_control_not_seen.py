"""PAD903."""

from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class ControlNotSeen(Rule):
    """A fault made on purpose does not show, so a real one would not either: nothing was measured.

    Why it matters:
        A check that cannot fail says nothing. With prompts longer than a model's windows, or with 16-bit rounding as
        large as the model's own differences, every verdict would be a pass.

    How padcheck knows:
        In every run the mask is broken on purpose: other ids stand in the pad slots and nothing hides them. No padded
        row changes by more than rounding, nor does one whose mask is left out.

    Fix:
        Run in float32, or with shorter prompts of more different lengths.

    References:
        This project's exit codes: nothing measured is never a pass. vLLM's test of batch invariance has such a control.
    """

    code = "PAD903"
    name = "control-not-seen"
    severity = Severity.WARNING
    suppressed_by = ("PAD206", "PAD901", "PAD902")

    def decide(self, case: Case) -> Finding | None:
        """Fires where neither control changes a padded row, and left padding does not either."""
        padded = any(row.num_pad_tokens for arm in case.evidence.runs.values() for row in arm.rows)
        if not padded or case.control_was_seen() is not False or case.harmed():
            return None
        control = case.comparisons["broken_mask"]
        far = "it could not be run" if control.max_abs_diff is None else f"max_abs_diff {control.max_abs_diff:.2g}"
        allowed = "" if control.allowed is None else f" ({control.allowed:.2g} allowed for rounding)"
        return self.found(
            f"The mask was broken on purpose and nothing shows: {far}{allowed}. A real fault would not show either.",
            fix="padcheck compare MODEL --dtype float32  # and prompts of very different lengths",
            max_abs_diff=control.max_abs_diff,
            allowed=control.allowed,
        )
