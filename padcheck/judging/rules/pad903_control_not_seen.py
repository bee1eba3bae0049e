"""PAD903: A fault made on purpose does not show, so a real fault would not show either: nothing was measured."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class ControlNotSeen(Rule):
    """A fault made on purpose does not show, so a real fault would not show either: nothing was measured.

    Why it matters:
        A check that cannot fail says nothing. If the prompts are longer than a model's windows, or if 16-bit rounding
        is as large as the differences between texts, every verdict would be a pass.

    How padcheck knows:
        Each time, the mask is broken on purpose: other ids stand in the pad slots, and the mask does not hide them. No
        padded row changes by more than rounding. Neither does a row that runs without its mask.

    Fix:
        Run in float32, or with shorter prompts whose lengths differ more.

    References:
        This project's exit codes: nothing measured is never a pass. vLLM's test of batch invariance has such a control.
    """

    code = "PAD903"
    name = "control-not-seen"
    severity = Severity.WARNING
    suppressed_by = ("PAD206", "PAD901", "PAD902")

    def decide(self, case: Case) -> Finding | None:
        """Fires if no control changes a padded row, and left padding does not either."""
        padded = any(row.num_pad_tokens for run in case.evidence.runs.values() for row in run.rows)
        if not padded or case.control_was_seen() is not False or case.harmed():
            return None
        control = case.comparisons["broken_mask"]
        seen = how_far(worst(control.rows)) if case.ran("broken_mask") else "it could not be run"
        return self.found(
            f"The mask was broken on purpose and nothing shows: {seen}. A real fault would not show either.",
            fix="padcheck compare MODEL --dtype float32  # and prompts of very different lengths",
            max_abs_diff=control.max_abs_diff,
            allowed=control.allowed,
        )
