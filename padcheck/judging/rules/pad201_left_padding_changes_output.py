"""PAD201: Left-padded generation differs from unpadded beyond rounding."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import EQUAL_LENGTH, Rule, attention_fix

_FIX = f"# until the cause is fixed: {EQUAL_LENGTH}"


class LeftPaddingChangesOutput(Rule):
    """Left-padded generation differs from unpadded beyond rounding.

    Why it matters:
        Left is the side to pad on for generating. A model that is wrong there cannot be batched with prompts of
        different lengths.

    How padcheck knows:
        Each prompt runs alone and in a left-padded batch, with attention_mask and through generate(). The logits of
        every step up to the first different token are compared. The finding appears if a row with pads differs by more
        than rounding explains. The shortest prompt also runs padded in a batch of one. If the model is in 16 bit, both
        also run in float32, where rounding hides nothing. A separate test finds what happens only in 16 bit: over all
        steps, the padded rows are further from float32 than the same prompts alone, with a confidence of 99.9 %.

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
        """Fires if a padded row of the left-padded batch is different."""
        rows = case.wrong("left")
        if not rows:
            return self._in_float32(case) or self._in_a_batch_of_one(case) or self._only_in_16_bit(case)
        furthest, other = worst(rows), case.right_with_attention()
        same = _same_for_every_pad_count(case)
        only_half = case.left != "left" and case.right(case.left)
        return self.found(
            f"With left padding {len(rows)} of {len(case.evidence.prompts)} prompts differ from the same prompt alone: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}, token {furthest.step}')}."
            + (" The difference is the same with any pad count, so the fault does not count pads." if same else "")
            + (f" With {other} attention the first token is right." if other else "")
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
            "In a batch of one a left-padded prompt differs from the same prompt without pads; in a larger batch it "
            f"does not: {how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix="# never pad a batch of one: the model treats its mask as all ones",
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
            f"In float32 left padding changes {len(rows)} of {len(case.evidence.prompts)} prompts: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}')}. "
            f"In {case.evidence.model.dtype} rounding hides it: there it explains up to {left.allowed:.2g}.",
            fix=_FIX,
            place=case.place,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            dtype="float32",
        )

    def _only_in_16_bit(self, case: Case) -> Finding | None:
        test = case.precision
        if test is None or not test.shows_fault:
            return None
        dtype = case.evidence.model.dtype
        return self.found(
            f"In {dtype} left-padded rows are {test.ratio:.3g} times as far from float32 as the same prompts alone (at "
            f"least {test.at_least:.3g} times with {100 * test.confidence:g} % confidence, over {test.steps} steps of "
            f"{test.prompts} prompts; up to {test.harmless:g} is rounding). In float32 they agree: only {dtype} has "
            "this fault.",
            fix="model = model.float()",
            ratio=test.ratio,
            at_least=test.at_least,
            confidence=test.confidence,
            steps=test.steps,
            dtype=dtype,
        )


def _same_for_every_pad_count(case: Case) -> bool:
    """True if one pad does what many do: then the edge of the mask is at fault, not the number or content of pads."""
    steps = case.sweep()
    found = [step.max_abs_diff for step in steps if step.max_abs_diff is not None]
    return len(found) > 1 and all(step.off for step in steps) and max(found) - min(found) <= steps[0].allowed
