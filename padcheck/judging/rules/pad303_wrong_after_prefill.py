"""PAD303."""

from padcheck.core.report import Finding, Skipped
from padcheck.core.severity import Severity
from padcheck.judging.case import LEFT_BATCH, Case, worst
from padcheck.judging.rule import Rule


class WrongAfterPrefill(Rule):
    """Cause: the first token is right and later ones are not.

    Why it matters:
        The padded prompt itself is handled well; what goes wrong is the cache, the mask or the positions while
        decoding. A test of one forward pass, which is what upstream's own padding test makes, cannot see it.

    How padcheck knows:
        In every padded row of the left arm that differs, the logits of the first new token are within rounding and
        those of a later one are not; nor is the first one off behind any other number of pads. Other ids under the
        mask tell whether the mask is dropped while decoding; the same run without a cache tells whether the cache is
        at fault.

    Fix:
        Grow the mask and count the positions on at each step; compare a cached step with a full forward pass.

    References:
        huggingface/transformers#30670, casper-hansen/AutoAWQ#228, TransformerLensOrg/TransformerLens#1005
    """

    code = "PAD303"
    name = "wrong-after-prefill"
    severity = Severity.ERROR
    reads = (LEFT_BATCH,)
    suppressed_by = ("PAD206", "PAD207", "PAD208")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires where no wrong row of the left arm is wrong at its first step."""
        rows = case.wrong(case.left)
        if not case.only_later_steps_wrong(case.left):
            return None
        if any(step.off for step in case.sweep()):
            return self.skip("behind other numbers of pads the first token is wrong too")
        furthest = worst(rows)
        unmasked = any(step.off for step in case.later_steps("scrambled"))
        cached = case.ran("left_uncached") and not case.wrong("left_uncached")
        culprit = (
            " The mask is dropped while decoding: other ids under it change the next token."
            if unmasked
            else " Without a cache it is right: the cache, or what is counted along it, is at fault."
            if cached
            else ""
        )
        return self.found(
            f"Padded on the left, the first new token of each prompt is right and later ones are not: max_abs_diff "
            f"{furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index}, token {furthest.step} "
            f"({furthest.allowed:.2g} allowed)." + culprit,
            fix="model.generate(**inputs, use_cache=False)  # right, but slow, until the model's cache is fixed"
            if cached
            else "# batch prompts of equal length, or one by one, until the model's code is fixed",
            place=case.place,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
            mask_dropped=unmasked,
            right_without_cache=cached,
        )
