"""PAD402: Right-padded forward(), read at the last real token, differs from unpadded."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class RightPaddedScoresDiffer(Rule):
    """Right-padded forward(), read at the last real token, differs from unpadded.

    Why it matters:
        Right is the side to pad on for scoring and training: the real tokens of a causal model come before the pads and
        cannot see them. If they do, the model is not causal, or its kernels depend on the length.

    How padcheck knows:
        The right-padded batch runs through forward() with attention_mask. Each row is read at its last real token and
        compared with forward() on the same prompt alone. A 16-bit model also runs in float32.

    Fix:
        Score prompts of equal length together, or one by one.

    References:
        AI4Bharat/IndicBERT#20, huggingface/transformers#47651
    """

    code = "PAD402"
    name = "right-padded-scores-differ"
    severity = Severity.ERROR
    reads = ("right_forward",)
    suppressed_by = ("PAD206",)
    tasks = ("score", "train")
    side = "right"

    def decide(self, case: Case) -> Finding | None:
        """Fires if a padded row is different."""
        rows = case.wrong("right_forward")
        if not rows:
            return None
        furthest = worst(rows)
        right = "Right" if case.evidence.runs["right_forward"].dtype is None else "In float32 right"
        return self.found(
            f"{right}-padded forward(), read at the last real token, is wrong for {len(rows)} of "
            f"{len(case.evidence.prompts)} prompts: {how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix="# score prompts of equal length together, or one by one",
            place=case.evidence.places.get("right_forward"),
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
