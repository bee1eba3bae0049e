"""PAD304: Cause: the model does not read the mask."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Verdict
from padcheck.judging.case import LEFT_BATCH, Case
from padcheck.judging.rule import EQUAL_LENGTH, Rule, attention_fix


class MaskIgnored(Rule):
    """Cause: the model does not read the mask.

    Why it matters:
        The model accepts an attention_mask and ignores it, so it reads every pad as text. Generating is wrong on either
        side. RWKV is like this by design.

    How padcheck knows:
        The left-padded batch runs through forward() with and without attention_mask. The logits are the same to the
        last bit in every padded row, although left padding changes the output. The batch also runs with the other
        attention implementation, and each prompt in a batch of one, because the mask may be read there.

    Fix:
        Use another attention implementation if it reads the mask. Otherwise batch prompts of equal length, or run them
        one by one.

    References:
        huggingface/transformers#22322, EleutherAI/lm-evaluation-harness#704
    """

    code = "PAD304"
    name = "mask-ignored"
    severity = Severity.ERROR
    reads = (LEFT_BATCH, "left_forward_no_mask")
    suppressed_by = ("PAD207",)
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires if left padding is wrong and the mask makes no difference."""
        rows = [row for row in case.comparisons["left_forward_no_mask"].rows if row.num_pad_tokens]
        harmed = case.wrong(case.left)
        if not harmed or case.right("left_alone") or any(row.verdict is not Verdict.IDENTICAL for row in rows):
            return None
        other = case.right_with_attention()
        return self.found(
            "With and without attention_mask, forward() gives the same logits to the last bit: the mask is not read"
            + (
                f" by {case.evidence.model.attn_implementation} attention; {other} attention reads it."
                if other
                else "."
            ),
            fix=attention_fix(other) if other else f"# {EQUAL_LENGTH}: this model does not read attention_mask",
            place=case.place,
            prompts=[row.prompt_index for row in harmed],
            right_with_attention=other,
        )
