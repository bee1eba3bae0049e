"""PAD109: Real tokens of the prompts, or of the chat template, equal the pad token."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PadTokenInText(Rule):
    """Real tokens of the prompts, or of the chat template, equal the pad token.

    Why it matters:
        Code that recognises pads by their id (collators, pooling heads, `input_ids != pad_token_id`) cuts these tokens
        out. transformers warns of right padding if a text merely ends in one.

    How padcheck knows:
        Each prompt, and one message rendered with the chat template, is encoded without padding and searched for the
        pad id.

    Fix:
        Use a pad token that text cannot contain, and keep the tokenizer's attention_mask.

    References:
        huggingface/trl#6357, microsoft/onnxruntime-genai#1694, microsoft/DialoGPT#20
    """

    code = "PAD109"
    name = "pad-token-in-text"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Fires if unpadded text contains the pad id."""
        evidence = case.evidence
        in_prompts = evidence.num_pad_tokens_in_prompts
        template = evidence.tokenizer.chat_template
        in_template = template.pad_tokens if template is not None else 0
        if not in_prompts and not in_template:
            return None
        places = [
            f"{count} in {where}"
            for count, where in ((in_prompts, "the prompts"), (in_template, "the chat template"))
            if count
        ]
        pad = evidence.tokenizer.pad_token_used
        return self.found(
            f"The pad token {pad!r} ({evidence.tokenizer.pad_token_used_id}) occurs in real text: {', '.join(places)}.",
            fix=pad_token_advice.MASK_NOT_IDS,
            in_prompts=in_prompts,
            in_chat_template=in_template,
        )
