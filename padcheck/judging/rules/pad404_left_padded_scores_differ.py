"""PAD404: Left-padded forward() with position_ids differs from unpadded."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class LeftPaddedScoresDiffer(Rule):
    """Left-padded forward() with position_ids differs from unpadded.

    Why it matters:
        Scores, rewards and losses of the padded rows are wrong, and passing position_ids does not fix them.

    How padcheck knows:
        One forward() runs on the left-padded batch with the mask and with position_ids counted from the mask. At the
        last token of a row the logits are not those of the prompt alone.

    Fix:
        Pad on the right if that was measured to be right. Otherwise score prompts of equal length together.

    References:
        huggingface/transformers#29526
    """

    code = "PAD404"
    name = "left-padded-scores-differ"
    severity = Severity.ERROR
    reads = ("left_forward_positions",)
    suppressed_by = ("PAD201", "PAD206", "PAD207")
    tasks = ("score", "train")
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires if a padded row is different with positions from the mask and without."""
        if case.right("left_forward"):
            return None  # the model counts positions itself, and better
        rows = case.wrong("left_forward_positions")
        if not rows:
            return None
        furthest = worst(rows)
        return self.found(
            f"Left-padded forward() with position_ids is wrong for {len(rows)} of {len(case.evidence.prompts)} "
            f"prompts: {how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix='tokenizer.padding_side = "right"  # for scoring and training'
            if case.right("right_forward")
            else "# score prompts of equal length together, or one by one",
            place=case.place,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
