"""PAD210: Left padding is right in plain generate() and wrong in another mode."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.modes import ModeRule, asked_for, different, how_far_in, numbers
from padcheck.judging.rule import EQUAL_LENGTH


class ModeBreaksLeftPadding(ModeRule):
    """Left padding is right in plain generate() and wrong in another mode.

    Why it matters:
        Masks and positions are built by other code if the cache is static, if it already holds a turn, or if the prompt
        enters in chunks or as embeddings. A test of plain generate() does not run that code. In a second turn the pads
        stand between two turns: a sliding window that counts slots then reaches less far.

    How padcheck knows:
        With `--with`, the left-padded batch and each prompt alone run in the mode, and their logits differ beyond
        rounding. The prompts alone are right in this mode (otherwise PAD209), and the left-padded batch is right in
        plain generate() (otherwise PAD201).

    Fix:
        In this mode, batch prompts of equal length, or run them one by one, until the model's code is fixed.

    References:
        huggingface/transformers#28981, huggingface/transformers#29583
    """

    code = "PAD210"
    name = "mode-breaks-left-padding"
    severity = Severity.ERROR
    suppressed_by = ("PAD201", "PAD206", "PAD207")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires if a mode is right alone and different in the left-padded batch."""
        wrong = {
            name: rows
            for name, mode in asked_for(case)
            if case.right(mode.alone) and (rows := different(case, mode.left))
        }
        if not wrong:
            return None
        return self.found(
            "Left padding changes the output in another mode of generate(), in which the prompts alone are right. "
            f"{how_far_in(wrong)}.",
            fix=f"# with {' or '.join(wrong)}: {EQUAL_LENGTH}, until the model's code is fixed",
            modes=numbers(wrong),
        )
