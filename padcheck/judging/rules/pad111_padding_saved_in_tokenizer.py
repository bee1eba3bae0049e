"""PAD111: tokenizer.json contains a padding or truncation block."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class PaddingSavedInTokenizer(Rule):
    """tokenizer.json contains a padding or truncation block.

    Why it matters:
        A fast tokenizer that was used with padding or truncation saves these settings. Runtimes that read
        tokenizer.json themselves then pad or cut every text without being asked. transformers resets both at each call.

    How padcheck knows:
        `tokenizer.backend_tokenizer.padding` or `.truncation` is set right after loading, before the first call.

    Fix:
        Remove the blocks and save the tokenizer again.

    References:
        vllm-project/llm-compressor#2917, huggingface/transformers#24179
    """

    code = "PAD111"
    name = "padding-saved-in-tokenizer"
    severity = Severity.INFO

    def decide(self, case: Case) -> Finding | None:
        """Fires if a block is saved."""
        tokenizer = case.evidence.tokenizer
        blocks = [
            block
            for block, saved in (("padding", tokenizer.saved_padding), ("truncation", tokenizer.saved_truncation))
            if saved
        ]
        if not blocks:
            return None
        calls = "; ".join(f"tokenizer.backend_tokenizer.no_{block}()" for block in blocks)
        return self.found(
            f"tokenizer.json contains a {' and a '.join(blocks)} block, which other runtimes will apply unasked.",
            fix=f"{calls}; tokenizer.save_pretrained(folder)",
            blocks=blocks,
        )
