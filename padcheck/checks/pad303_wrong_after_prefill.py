"""PAD303."""

from padcheck.checks.base import Case, Rule, worst
from padcheck.evidence import RowDifference
from padcheck.report import Finding, RowComparison, Skipped
from padcheck.severity import Severity
from padcheck.tolerances import share_of_allowance


class WrongAfterPrefill(Rule):
    """Cause: the first token is right and later ones are not.

    Why it matters:
        The padded prompt itself is handled well; what goes wrong is the cache, the mask or the positions while
        decoding. A test of one forward pass, which is what upstream's own padding test makes, cannot see it.

    How padcheck knows:
        In every padded row of the left arm that differs, the logits of the first new token are within rounding and
        those of a later one are not.

    Fix:
        Grow the mask and count the positions on at each step; compare a cached step with a full forward pass.

    References:
        huggingface/transformers#30670, casper-hansen/AutoAWQ#228, TransformerLensOrg/TransformerLens#1005
    """

    code = "PAD303"
    name = "wrong-after-prefill"
    severity = Severity.ERROR

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where no wrong row of the left arm is wrong at its first step."""
        if not case.ran("left"):
            return self.skip("the left arm has no row to compare")
        rows = case.wrong("left")
        measured = {difference.prompt_index: difference for difference in case.evidence.differences["left"]}
        if not rows or any(_wrong_at_prefill(row, measured[row.prompt_index]) for row in rows):
            return None
        furthest = worst(rows)
        return self.found(
            f"Padded on the left, the first new token of each prompt is right and later ones are not: max_abs_diff "
            f"{furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index}, token {furthest.step} "
            f"({furthest.allowed:.2g} allowed).",
            fix="model.generate(**inputs, use_cache=False)  # if this is right, the cache is at fault",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
        )


def _wrong_at_prefill(row: RowComparison, measured: RowDifference) -> bool:
    # Steps of a row have logits of much the same size, so the allowance of the worst one serves for the first.
    return share_of_allowance(measured.steps[0].max_abs_diff, row.allowed) > 1
