"""PAD101: The tokenizer has no pad token."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class MissingPadToken(Rule):
    """The tokenizer has no pad token.

    Why it matters:
        Without a pad token, `tokenizer(texts, padding=True)` raises. GPT-2, Llama 1 to 3, Mistral, Falcon and GPT-NeoX
        have none. The usual fix, `pad_token = eos_token`, works for generating if attention_mask is passed: without the
        mask, generate() cannot tell pads from text. In training it removes every real eos from the loss, and the model
        never learns to stop.

    How padcheck knows:
        `tokenizer.pad_token_id` is None. The vocabulary is searched for a better token: a reserved pad token first,
        then a token that text does not contain, then unk, then eos.

    Fix:
        Set a pad token right after loading. Use a token that the vocabulary already has, so that no embedding row must
        be added.

    References:
        huggingface/transformers#22312, huggingface/trl#466
    """

    code = "PAD101"
    name = "missing-pad-token"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Fires if pad_token_id is None."""
        tokenizer = case.evidence.tokenizer
        if tokenizer.pad_token_id is not None:
            return None
        token = f"{tokenizer.pad_token_used!r} ({tokenizer.pad_token_used_id})"
        return self.found(
            "The tokenizer has no pad token, so padding=True raises. padcheck padded with "
            f"{token}: {tokenizer.pad_token_used_reason}.{pad_token_advice.reason(tokenizer)}",
            fix=pad_token_advice.some(case.evidence),
            pad_token_used=tokenizer.pad_token_used,
            pad_token_used_id=tokenizer.pad_token_used_id,
            suggestion=tokenizer.pad_token_suggestion and tokenizer.pad_token_suggestion.token,
        )
