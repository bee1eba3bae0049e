"""PAD208: Alone and unpadded, generate() and forward() give different logits."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped, Verdict
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class GenerateDiffersFromForward(Rule):
    """Alone and unpadded, generate() and forward() give different logits.

    Why it matters:
        The two disagree before padding is involved. If the first step differs, scores computed with forward() are not
        those that generate() chooses by, and padding cannot change that. If a later step differs, the cache is at
        fault, and every text of more than one token is affected. Then a prompt alone is no reference for anything.

    How padcheck knows:
        Each prompt runs alone through a plain forward() and through generate(), and the logits of the first new token
        differ beyond rounding. If another probe points to the cache, generate() also runs without it, which is a full
        forward() at each step.

    Fix:
        Give forward() what prepare_inputs_for_generation adds (positions, a cache, a mask), and find out which of the
        two is right. If the cache is at fault, generate with use_cache=False.

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
        """Fires if forward(), or the run without a cache, differs from generate() on the prompts alone."""
        rows = [row for row in case.comparisons["forward"].rows if row.verdict is Verdict.DIFFERENT]
        if rows:
            furthest = worst(rows)
            return self.found(
                "Alone and unpadded, forward() and generate() give different logits for the first new token: "
                f"{how_far(furthest, f'prompt {furthest.prompt_index}')}.",
                fix="inputs = model.prepare_inputs_for_generation(**inputs)  # then model(**inputs) agrees",
                prompts=[row.prompt_index for row in rows],
                max_abs_diff=furthest.max_abs_diff,
                allowed=furthest.allowed,
                step=0,
            )
        rows = case.wrong_alone()
        if not rows:
            return self._by_stand_in(case)
        furthest = worst(rows)
        return self.found(
            "Alone and unpadded, generate() gives other logits with its cache than without: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}, token {furthest.step}')}.",
            # Left padding is then compared with a wrong reference.
            severity=Severity.ERROR if case.only_later_steps_wrong(case.left) else self.severity,
            fix="model.generate(**inputs, use_cache=False)  # until the model's cache is fixed",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
        )

    def _by_stand_in(self, case: Case) -> Skipped | None:
        """Skipped if the prompts alone did not all go through generate()."""
        alone = case.evidence.runs[case.comparisons["forward"].reference]
        prompts = [row.prompt_index for row in alone.rows if row.stand_in is not None]
        if not prompts:
            return None
        others = "the others agree" if len(prompts) < len(alone.rows) else "the 16-bit run was compared instead"
        which = ", ".join(map(str, prompts))
        return self.skip(f"{alone.stand_in} stands in for generate() on prompts {which}; {others}")
