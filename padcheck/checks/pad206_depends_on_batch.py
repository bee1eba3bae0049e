"""PAD206."""

from padcheck.checks.base import Case, Rule
from padcheck.report import Finding, Skipped, Verdict
from padcheck.severity import Severity


class DependsOnBatch(Rule):
    """The result changes with the batch alone, no padding involved.

    Why it matters:
        A row's output depends on its neighbours, or on how many there are: batching itself is at fault, and no padding
        can mend it. LLM.int8 does this by design, expert capacity limits and faulty kernels by accident.

    How padcheck knows:
        The longest prompt of a batch gets no pads; its logits are compared with the same prompt alone, and differ
        beyond rounding.

    Fix:
        Run prompts one by one where results must not depend on their neighbours.

    References:
        huggingface/transformers#22269, huggingface/transformers#25420
    """

    code = "PAD206"
    name = "depends-on-batch"
    severity = Severity.ERROR

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where a row without pads is different."""
        if all(comparison.verdict is Verdict.NOT_RUN for comparison in case.comparisons.values()):
            return self.skip("no arm has a row to compare")
        wrong = {
            (arm, row.prompt_index): row
            for arm, comparison in case.comparisons.items()
            for row in comparison.rows
            if not row.num_pad_tokens and row.verdict is Verdict.DIFFERENT
        }
        if not wrong:
            return None
        (arm, prompt), worst = max(wrong.items(), key=lambda item: (item[1].max_abs_diff or 0.0) / item[1].allowed)
        return self.found(
            f"Prompt {prompt} has no pads in the {arm} arm and still differs from the same prompt alone: max_abs_diff "
            f"{worst.max_abs_diff:.2g} ({worst.allowed:.2g} allowed).",
            fix="# run prompts one by one: this model's rows depend on their batch",
            prompts=sorted({prompt for _, prompt in wrong}),
            max_abs_diff=worst.max_abs_diff,
            allowed=worst.allowed,
        )
