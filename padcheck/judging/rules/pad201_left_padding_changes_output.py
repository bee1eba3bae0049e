"""PAD201."""

from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.judging.case import Case, worst
from padcheck.judging.rule import Rule, attention_fix

_FIX = "# until the cause is fixed: batch prompts of equal length, or one by one"


class LeftPaddingChangesOutput(Rule):
    """Left-padded generation differs from unpadded beyond rounding.

    Why it matters:
        Left is the side to generate on. A model that is wrong there cannot be batched with prompts of different
        lengths.

    How padcheck knows:
        Each prompt runs alone and in a left-padded batch, with attention_mask and through generate(). The logits of
        every step up to the first different token are compared; a row with pads is off by more than rounding explains.
        The shortest prompt also runs padded in a batch of one. If the model is in 16 bit, both also run in float32,
        where rounding hides nothing. What only 16 bit does shows in a separate test: over all steps, the padded rows
        are further from float32 than the same prompts alone, with a confidence of 99.9 %.

    Fix:
        Batch prompts of equal length, or run them one by one, until the model's code is fixed.

    References:
        huggingface/transformers#22322, huggingface/transformers#29515, huggingface/transformers#25420
    """

    code = "PAD201"
    name = "left-padding-changes-output"
    severity = Severity.ERROR
    reads = ("left",)
    suppressed_by = ("PAD206", "PAD207", "PAD208")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires where a padded row of the left arm is different."""
        rows = case.wrong("left")
        if not rows:
            return self._in_float32(case) or self._in_a_batch_of_one(case) or self._in_16_bit_alone(case)
        furthest, other = worst(rows), case.right_with_attention()
        same = _changes_all_the_same(case)
        only_half = case.left != "left" and case.right(case.left)
        return self.found(
            f"With left padding {len(rows)} of {len(case.evidence.prompts)} prompts differ from the same prompt alone: "
            f"max_abs_diff {furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index}, token {furthest.step} "
            f"({furthest.allowed:.2g} allowed)."
            + (
                " It is the same difference behind any number of pads, so what is wrong does not count them."
                if same
                else ""
            )
            + (f" With {other} attention its first token is right." if other else "")
            + (f" In float32 it is right: only {case.evidence.model.dtype} has this fault." if only_half else ""),
            fix=attention_fix(other) if other else _FIX,
            place=case.place,
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
            f"{case.evidence.model.dtype} rounding hides that: it explains up to {left.allowed:.2g}.",
            fix=_FIX,
            place=case.place,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            dtype="float32",
        )

    def _in_16_bit_alone(self, case: Case) -> Finding | None:
        test = case.precision
        if test is None or not test.shows_fault:
            return None
        dtype = case.evidence.model.dtype
        return self.found(
            f"In {dtype} left-padded rows are {test.ratio:.3g} times as far from float32 as the same prompts alone (at "
            f"least {test.at_least:.3g} times with {100 * test.confidence:g} % confidence, over {test.steps} steps of "
            f"{test.prompts} prompts; up to {test.harmless:g} is rounding). In float32 they agree: only {dtype} has "
            "this fault.",
            fix='model = AutoModelForCausalLM.from_pretrained(..., dtype="float32")',
            ratio=test.ratio,
            at_least=test.at_least,
            confidence=test.confidence,
            steps=test.steps,
            dtype=dtype,
        )


def _changes_all_the_same(case: Case) -> bool:
    """True where one pad does what many do: then it is the edge of the mask, and not what the pads are or count."""
    steps = case.sweep()
    found = [step.max_abs_diff for step in steps if step.max_abs_diff is not None]
    return len(found) > 1 and all(step.off for step in steps) and max(found) - min(found) <= steps[0].allowed
