"""PAD103: The pad token is also the bos or the unk token."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PadTokenIsSpecial(Rule):
    """The pad token is also the bos or the unk token.

    Why it matters:
        Code that removes or masks pads by id also removes the real token: the bos at the start of every prompt, or an
        unknown word. With the tokenizer's attention_mask nothing is lost.

    How padcheck knows:
        The tokenizer's pad id equals its bos id or its unk id. If it is also an eos id, PAD102 reports it.

    Fix:
        Use a pad token that is neither bos nor unk, or never recognise pads by their id.

    References:
        tloen/alpaca-lora#7, h2oai/h2o-llmstudio#298
    """

    code = "PAD103"
    name = "pad-token-is-special"
    severity = Severity.INFO
    suppressed_by = ("PAD102",)

    def decide(self, case: Case) -> Finding | None:
        """Fires if pad equals bos or unk."""
        tokenizer = case.evidence.tokenizer
        special = {"bos": tokenizer.bos_token_id, "unk": tokenizer.unk_token_id}
        kinds = [
            kind for kind, token_id in special.items() if token_id is not None and token_id == tokenizer.pad_token_id
        ]
        if not kinds:
            return None
        return self.found(
            f"The pad token {tokenizer.pad_token!r} ({tokenizer.pad_token_id}) is also the "
            f"{' and the '.join(kinds)} token.{pad_token_advice.reason(tokenizer)}",
            fix=pad_token_advice.suggested(case.evidence, otherwise=pad_token_advice.MASK_NOT_IDS),
            pad_token_id=tokenizer.pad_token_id,
            equals=kinds,
        )
