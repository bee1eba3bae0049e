"""PAD504: The attention_mask has zeros at real tokens."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MaskHidesText(CallerRule):
    """The attention_mask has zeros at real tokens.

    Why it matters:
        The model does not read these tokens. It often happens with a mask made from ids if the pad token is
        also the eos token: then each eos in the text gets a zero.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected batch has a one at every real token.

    Wrong:
        mask = (ids != tokenizer.pad_token_id).long()

    Right:
        mask = batch.attention_mask

    References:
        locuslab/open-unlearning#128, huggingface/trl#6357
    """

    code = "PAD504"
    name = "mask-hides-text"
    severity = Severity.ERROR
    message = (
        "The attention_mask hides real tokens: the output differs from that of the same rows alone by up to "
        "{max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "pass the tokenizer's attention_mask; do not compute it from the ids"
