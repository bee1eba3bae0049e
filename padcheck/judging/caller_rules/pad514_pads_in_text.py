"""PAD514: The text of an answer contains pads."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class PadsInText(CallerRule):
    """The text of an answer contains pads.

    Why it matters:
        Rows that end early are filled with pads up to the longest one. Decoded with them, the answers contain
        pad tokens as text.

    How padcheck knows:
        The decoded ids are a generated row with the pads after its end. The text without these pads is another
        one.

    Wrong:
        answers = tokenizer.batch_decode(new_tokens)

    Right:
        answers = tokenizer.batch_decode(new_tokens, skip_special_tokens=True)

    References:
        QwenLM/Qwen#468
    """

    code = "PAD514"
    name = "pads-in-text"
    severity = Severity.WARNING
    message = "The text contains {pads} pads ({token!r}) that follow the end of the answer."
    fix = "pass skip_special_tokens=True, or cut each row at its eos"
