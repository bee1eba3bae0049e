"""PAD102: The pad token is one of the tokens that end a text."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PadTokenIsEosToken(Rule):
    """The pad token is one of the tokens that end a text.

    Why it matters:
        A mask or labels made from ids (`input_ids != pad_token_id`, and transformers' DataCollatorForLanguageModeling)
        lose the real eos as well: a fine-tuned model never stops, and the ends of turns vanish from a conversation.
        generate() cannot rebuild a mask that was not passed. Generating with the tokenizer's attention_mask is fine.

    How padcheck knows:
        The tokenizer's pad id is among the eos ids of tokenizer, config or generation_config.

    Fix:
        Use a pad token that is not an eos. Until then always pass attention_mask, and mask labels by attention_mask,
        not by id.

    References:
        huggingface/transformers#23530, huggingface/trl#976, locuslab/open-unlearning#128
    """

    code = "PAD102"
    name = "pad-token-is-eos-token"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Fires if the tokenizer's pad token is an eos."""
        tokenizer, ids = case.evidence.tokenizer, case.evidence.special_token_ids
        places = {"tokenizer": ids.tokenizer, "config": ids.config, "generation_config": ids.generation_config}
        pad = tokenizer.pad_token_id
        named_by = [place for place, named in places.items() if pad is not None and pad in (named.eos or ())]
        if not named_by:
            return None
        return self.found(
            f"The pad token {tokenizer.pad_token!r} ({pad}) is an eos of {', '.join(named_by)}: masks and labels "
            f"made from ids lose the real eos.{pad_token_advice.reason(tokenizer)}",
            fix=pad_token_advice.suggested(case.evidence, otherwise=pad_token_advice.LABELS_BY_MASK),
            pad_token_id=pad,
            eos_named_by=named_by,
        )
