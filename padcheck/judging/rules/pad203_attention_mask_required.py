"""PAD203."""

from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.judging.case import Case, worst
from padcheck.judging.rule import Rule


class AttentionMaskRequired(Rule):
    """Without attention_mask the result changes.

    Why it matters:
        `model.generate(inputs.input_ids)` drops the mask. generate() rebuilds it from the pad id only where that id is
        not an eos; otherwise the pads are read as text. The words may survive while the logits move, and a batch of
        one gets no warning at all.

    How padcheck knows:
        The left-padded batch runs through generate() with and without attention_mask, and the logits of the first new
        token differ beyond rounding. Whether the mask could be rebuilt is read off the pad and eos ids of the
        generation_config.

    Fix:
        Pass all that the tokenizer returns.

    References:
        QwenLM/Qwen3#814, huggingface/transformers#25284, huggingface/transformers#30670
    """

    code = "PAD203"
    name = "attention-mask-required"
    severity = Severity.INFO
    reads = ("left_no_mask",)
    suppressed_by = ("PAD206", "PAD304")
    tasks = ("generate",)

    def decide(self, case: Case) -> Finding | None:
        """Fires where a padded row changes without the mask."""
        rows = case.wrong("left_no_mask")
        if not rows:
            return None
        ids, pad = case.evidence.special_token_ids.generation_config, case.evidence.tokenizer.pad_token_used_id
        inferred = ids.pad == pad and pad not in (ids.eos or ())
        why = "generate() does not rebuild it"
        if ids.pad is None:
            why = "generation_config names no pad token, so generate() cannot rebuild it"
        elif pad in (ids.eos or ()):
            why = "pad is an eos, so generate() cannot rebuild it"
        furthest = worst(rows)
        return self.found(
            f"Without attention_mask {case.share('left_no_mask', rows)} change when padded on the left "
            f"(max_abs_diff {furthest.max_abs_diff:.2g}, {furthest.allowed:.2g} allowed): {why}.",
            fix="model.generate(**inputs)  # not inputs.input_ids alone",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            mask_can_be_inferred=inferred,
        )
