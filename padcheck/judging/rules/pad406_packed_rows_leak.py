"""PAD406: In a packed row, a prompt sees the prompts before it."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped, Verdict
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class PackedRowsLeak(Rule):
    """In a packed row, a prompt sees the prompts before it.

    Why it matters:
        Training without padding puts several texts into one row, with position_ids that begin with 0 for each text.
        Most attention keeps them apart by these. A convolution, a recurrent state, or attention that builds its own
        mask continues from one text into the next without a warning, and the model learns from unrelated texts. Padded
        batches are not affected.

    How padcheck knows:
        With --task train the prompts run in one row, with those position_ids, no attention_mask and no cache. The last
        token of a prompt gets other logits than in the prompt alone. Before transformers.masking_utils only flash
        attention kept texts apart; without it, the rule is undecided there.

    Fix:
        Pad in place of packing. Several models with convolutions or linear attention keep texts apart if their CUDA
        kernels are installed and get the lengths of the texts (DataCollatorWithFlattening with return_flash_attn_kwargs
        and return_seq_idx). padcheck does not pass these.

    References:
        huggingface/transformers#31629, huggingface/transformers#35861, huggingface/transformers#46333
    """

    code = "PAD406"
    name = "packed-rows-leak"
    severity = Severity.WARNING
    reads = ("packed",)
    suppressed_by = ("PAD206",)
    tasks = ("train",)

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Decides, or is skipped."""
        if case.evidence.runs and "packed" not in case.evidence.runs:
            return self.skip("only --task train runs prompts in one row", "not_asked")
        return super().judge(case)

    def decide(self, case: Case) -> Finding | None:
        """Fires if a prompt is different."""
        rows = [row for row in case.comparisons["packed"].rows if row.verdict is Verdict.DIFFERENT]
        if not rows:
            return None
        furthest = worst(rows)
        return self.found(
            f"In a packed row, earlier prompts change the logits of {case.share('packed', rows)}: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix="# pad in place of packing: position_ids alone do not keep the texts of a row apart",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
