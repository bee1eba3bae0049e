"""PAD201."""

from padcheck.checks.base import Case, Rule, worst
from padcheck.report import Finding, Skipped
from padcheck.severity import Severity


class LeftPaddingChangesOutput(Rule):
    """Left-padded generation differs from unpadded beyond rounding.

    Why it matters:
        Left is the side to generate on. A model that is wrong there cannot be batched with prompts of different
        lengths.

    How padcheck knows:
        Each prompt runs alone and in a left-padded batch, with attention_mask and through generate(). The logits of
        every step up to the first different token are compared; a row with pads is off by more than rounding explains.

    Fix:
        Batch prompts of equal length, or run them one by one, until the model's code is fixed.

    References:
        huggingface/transformers#22322, huggingface/transformers#29515, huggingface/transformers#25420
    """

    code = "PAD201"
    name = "left-padding-changes-output"
    severity = Severity.ERROR

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where a padded row of the left arm is different."""
        if not case.ran("left"):
            return self.skip("the left arm has no row to compare")
        rows = case.wrong("left")
        if not rows:
            return None
        furthest = worst(rows)
        return self.found(
            f"With left padding {len(rows)} of {len(case.evidence.prompts)} prompts differ from the same prompt alone: "
            f"max_abs_diff {furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index}, token {furthest.step} "
            f"({furthest.allowed:.2g} allowed).",
            fix="# batch prompts of equal length, or one by one: this model cannot be left-padded",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
        )
