"""PAD303: Cause: the first new token is right and later ones are not."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, RowComparison, Skipped
from padcheck.judging.case import LEFT_BATCH, Case, how_far, worst
from padcheck.judging.rule import EQUAL_LENGTH, Rule


class WrongAfterPrefill(Rule):
    """Cause: the first new token is right and later ones are not.

    Why it matters:
        The padded prompt is handled correctly. The cache, the mask or the positions go wrong while decoding. A test of
        one forward pass, such as upstream's padding test, cannot see that.

    How padcheck knows:
        In every padded row of the left-padded batch that differs, the logits of the first new token are within rounding
        and those of a later one are not. The first token is right with every other pad count too. Other ids under the
        mask show whether the mask is dropped while decoding. A batch of one shows whether the neighbours matter. The
        same run without a cache shows whether the cache is at fault.

    Fix:
        Extend the mask and the positions at each step. Compare a cached step with a full forward pass.

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
        """Fires if no wrong row of the left-padded batch is wrong at its first step."""
        rows = case.wrong(case.left)
        if not case.only_later_steps_wrong(case.left):
            return None
        if any(step.off for step in case.sweep()):
            return self.skip("with other pad counts the first token is wrong too")
        furthest = worst(rows)
        alone = [row for row in case.wrong("left_alone") if not case.off_at_first("left_alone", row)]
        unmasked = any(step.off for step in case.later_steps("scrambled"))
        cached = case.ran("left_uncached") and not case.wrong("left_uncached")
        culprit = (
            " The mask is dropped while decoding: other ids under it change the next token."
            if unmasked
            else " Without a cache it is right: the cache, or the positions kept with it, are at fault."
            if cached
            else ""
        )
        return self.found(
            "Padded on the left, the first new token of each prompt is right and later ones are not: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}, token {furthest.step}')}."
            + (_named(alone) if alone else "")
            + culprit,
            fix="model.generate(**inputs, use_cache=False)  # right, but slow, until the model's cache is fixed"
            if cached
            else f"# {EQUAL_LENGTH}, until the model's code is fixed",
            place=case.place,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
            mask_dropped=unmasked,
            right_without_cache=cached,
            wrong_in_a_batch_of_one=[row.prompt_index for row in alone],
        )


def _named(rows: list[RowComparison]) -> str:
    """The prompt with the fewest pads, which says most."""
    fewest = min(rows, key=lambda row: row.num_pad_tokens)
    pads = f"{fewest.num_pad_tokens} pad{'s' * (fewest.num_pad_tokens > 1)}"
    return f" In a batch of one, prompt {fewest.prompt_index} is wrong too, with {pads}."
