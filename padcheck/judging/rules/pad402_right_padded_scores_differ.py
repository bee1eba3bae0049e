"""PAD402."""

from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.judging.case import Case, worst
from padcheck.judging.rule import Rule


class RightPaddedScoresDiffer(Rule):
    """Right-padded forward(), read at the last real token, differs from unpadded.

    Why it matters:
        Right is the side for scoring and training: a causal model's real tokens come before the pads and cannot see
        them. Where they do, the model is not causal, or its kernels depend on the length.

    How padcheck knows:
        The right-padded batch runs through forward() with attention_mask; each row is read at its last real token and
        compared with forward() on the same prompt alone; a 16-bit model also in float32.

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
        """Fires where a padded row is different."""
        rows = case.wrong("right_forward")
        if not rows:
            return None
        furthest = worst(rows)
        right = "Right" if case.evidence.runs["right_forward"].dtype is None else "In float32 right"
        return self.found(
            f"{right}-padded forward(), read at the last real token, is off for {len(rows)} of "
            f"{len(case.evidence.prompts)} prompts: max_abs_diff {furthest.max_abs_diff:.2g} at prompt "
            f"{furthest.prompt_index} ({furthest.allowed:.2g} allowed).",
            fix="# score prompts of equal length together, or one by one",
            place=case.evidence.places.get("right_forward"),
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
