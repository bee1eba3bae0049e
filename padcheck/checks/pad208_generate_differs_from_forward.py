"""PAD208."""

from padcheck.checks.base import Case, Rule, worst
from padcheck.report import Finding, Skipped, Verdict
from padcheck.severity import Severity


class GenerateDiffersFromForward(Rule):
    """Alone and unpadded, generate()'s first-step logits are not forward()'s.

    Why it matters:
        The two disagree before padding enters: scores taken with forward() are not those that generate() chooses by,
        and no padding can make them so.

    How padcheck knows:
        Each prompt runs alone through a plain forward() and through generate(); the logits of the first new token
        differ beyond rounding.

    Fix:
        Find out what prepare_inputs_for_generation adds (positions, a cache, a mask) that forward() does not.

    References:
        huggingface/transformers#29583
    """

    code = "PAD208"
    name = "generate-differs-from-forward"
    severity = Severity.WARNING

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where a row of the forward arm is different from the unpadded run."""
        if not case.ran("forward"):
            return self.skip("the forward arm has no row to compare")
        rows = [row for row in case.comparisons["forward"].rows if row.verdict is Verdict.DIFFERENT]
        if not rows:
            return None
        furthest = worst(rows)
        return self.found(
            f"Alone and unpadded, forward() and generate() give other logits for the first new token: max_abs_diff "
            f"{furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index} ({furthest.allowed:.2g} allowed).",
            fix="inputs = model.prepare_inputs_for_generation(**inputs)  # what does it add?",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
