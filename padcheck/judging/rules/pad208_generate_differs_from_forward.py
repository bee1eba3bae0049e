"""PAD208."""

from padcheck.core.report import Finding, Skipped, Verdict
from padcheck.core.severity import Severity
from padcheck.judging.case import Case, worst
from padcheck.judging.rule import Rule


class GenerateDiffersFromForward(Rule):
    """Alone and unpadded, generate()'s logits are not forward()'s.

    Why it matters:
        The two disagree before padding enters. At the first step, scores taken with forward() are not those that
        generate() chooses by, and no padding can make them so. At a later step the cache is at fault, and every text
        of more than one token with it: then a prompt alone is no reference for anything.

    How padcheck knows:
        Each prompt runs alone through a plain forward() and through generate(); the logits of the first new token
        differ beyond rounding. Where another probe hints at it, generate() also runs without its cache, which is a
        full forward() at each step.

    Fix:
        Find out what prepare_inputs_for_generation adds (positions, a cache, a mask) that forward() does not; where
        the cache is at fault, generate with use_cache=False.

    References:
        huggingface/transformers#29583, huggingface/transformers#48256
    """

    code = "PAD208"
    name = "generate-differs-from-forward"
    severity = Severity.WARNING
    reads = ("forward",)
    suppressed_by = ("PAD206",)
    tasks = ("generate",)

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires where forward(), or the run without a cache, differs from the unpadded run."""
        rows = [row for row in case.comparisons["forward"].rows if row.verdict is Verdict.DIFFERENT]
        if rows:
            furthest = worst(rows)
            return self.found(
                f"Alone and unpadded, forward() and generate() give other logits for the first new token: max_abs_diff "
                f"{furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index} ({furthest.allowed:.2g} allowed).",
                fix="inputs = model.prepare_inputs_for_generation(**inputs)  # what does it add?",
                prompts=[row.prompt_index for row in rows],
                max_abs_diff=furthest.max_abs_diff,
                allowed=furthest.allowed,
                step=0,
            )
        rows = case.wrong_alone()
        if not rows:
            return self._stood_in(case)
        furthest = worst(rows)
        return self.found(
            f"Alone and unpadded, generate() gives other logits with its cache than without: max_abs_diff "
            f"{furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index}, token {furthest.step} "
            f"({furthest.allowed:.2g} allowed).",
            # What left padding changes is then read against a wrong reference.
            severity=Severity.ERROR if case.only_later_steps_wrong(case.left) else self.severity,
            fix="model.generate(**inputs, use_cache=False)  # until the model's cache is fixed",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
        )

    def _stood_in(self, case: Case) -> Skipped | None:
        arm = case.evidence.runs[case.comparisons["forward"].reference]
        prompts = [row.prompt_index for row in arm.rows if row.stand_in is not None]
        if not prompts:
            return None
        others = "the others agree" if len(prompts) < len(arm.rows) else "the 16-bit run was compared instead"
        which = ", ".join(map(str, prompts))
        return self.skip(f"{arm.stand_in} stands in for generate() alone of prompts {which}; {others}")
