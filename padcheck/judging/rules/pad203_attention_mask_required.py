"""PAD203: Without attention_mask the result changes."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class AttentionMaskRequired(Rule):
    """Without attention_mask the result changes.

    Why it matters:
        `model.generate(inputs.input_ids)` drops the mask. generate() rebuilds it from the pad id only if that id is not
        an eos. Otherwise the pads are read as text. The text may stay the same while the logits change, and a batch of
        one gets no warning.

    How padcheck knows:
        The left-padded batch runs through generate() with and without attention_mask, and the logits of the first new
        token differ beyond rounding. The pad and eos ids of generation_config show whether generate() could rebuild the
        mask.

    Fix:
        Pass everything that the tokenizer returns.

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
        """Fires if a padded row changes without the mask."""
        rows = case.wrong("left_no_mask")
        if not rows:
            return None
        ids, pad = case.evidence.special_token_ids.generation_config, case.evidence.tokenizer.pad_token_used_id
        inferred = ids.pad == pad and pad not in (ids.eos or ())
        why = "generate() does not rebuild the mask"
        if ids.pad is None:
            why = "generation_config names no pad token, so generate() cannot rebuild the mask"
        elif pad in (ids.eos or ()):
            why = "Pad is an eos, so generate() cannot rebuild the mask"
        furthest = worst(rows)
        return self.found(
            f"Without attention_mask {case.share('left_no_mask', rows)} change when padded on the left: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}')}. {why}.",
            fix="model.generate(**inputs)  # not only inputs.input_ids",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            mask_can_be_inferred=inferred,
        )
