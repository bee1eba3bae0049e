"""PAD201."""

from padcheck.checks.base import Rule, attention_fix
from padcheck.checks.case import Case, worst
from padcheck.report import Finding, Skipped
from padcheck.severity import Severity

_FIX = "# until the cause is mended: batch prompts of equal length, or one by one"


class LeftPaddingChangesOutput(Rule):
    """Left-padded generation differs from unpadded beyond rounding.

    Why it matters:
        Left is the side to generate on. A model that is wrong there cannot be batched with prompts of different
        lengths.

    How padcheck knows:
        Each prompt runs alone and in a left-padded batch, with attention_mask and through generate(). The logits of
        every step up to the first different token are compared; a row with pads is off by more than rounding explains.
        Each padded prompt also runs in a batch of one.
        A model in 16 bit is also run in float32, where memory has room: a fault may drown in 16-bit rounding.

    Fix:
        Batch prompts of equal length, or run them one by one, until the model's code is fixed.

    References:
        huggingface/transformers#22322, huggingface/transformers#29515, huggingface/transformers#25420
    """

    code = "PAD201"
    name = "left-padding-changes-output"
    severity = Severity.ERROR
    told_by = ("PAD206", "PAD207", "PAD208")
    tasks = ("generate",)
    side = "left"

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where a padded row of the left arm is different."""
        if not case.ran("left"):
            return self.skip("the left arm has no row to compare")
        rows = case.wrong("left")
        if not rows:
            return self._in_a_batch_of_one(case) or self._in_float32(case)
        furthest, other = worst(rows), case.right_with_attention()
        same = _changes_all_the_same(case)
        return self.found(
            f"With left padding {len(rows)} of {len(case.evidence.prompts)} prompts differ from the same prompt alone: "
            f"max_abs_diff {furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index}, token {furthest.step} "
            f"({furthest.allowed:.2g} allowed)."
            + (
                " It is the same difference behind any number of pads, so what is wrong does not count them."
                if same
                else ""
            )
            + (f" With {other} attention its first token is right." if other else ""),
            fix=attention_fix(other) if other else _FIX,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
            right_with_attention=other,
            same_for_every_pad_count=same,
        )

    def _in_a_batch_of_one(self, case: Case) -> Finding | None:
        rows = case.wrong("left_alone")
        if not rows:
            return None
        furthest = worst(rows)
        return self.found(
            f"A left-padded prompt in a batch of one differs from the prompt without pads, though in a larger batch it "
            f"does not: max_abs_diff {furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index} "
            f"({furthest.allowed:.2g} allowed).",
            fix="# never pad a batch of one: the model takes its mask for one of ones",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _in_float32(self, case: Case) -> Finding | None:
        rows = case.wrong("left_float32")
        if not rows:
            return None
        furthest, left = worst(rows), case.comparisons["left"]
        return self.found(
            f"In float32 left padding changes {len(rows)} of {len(case.evidence.prompts)} prompts: max_abs_diff "
            f"{furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index} ({furthest.allowed:.2g} allowed). In "
            f"{case.evidence.model.dtype} it drowns in rounding, for which {left.allowed:.2g} is allowed.",
            fix=_FIX,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            dtype="float32",
        )


def _changes_all_the_same(case: Case) -> bool:
    """True where one pad does what many do: then it is the edge of the mask, and not what the pads are or count."""
    steps = case.sweep()
    found = [step.max_abs_diff for step in steps if step.max_abs_diff is not None]
    return len(found) > 1 and all(step.off for step in steps) and max(found) - min(found) <= steps[0].allowed
