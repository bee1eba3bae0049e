"""PAD503: The attention_mask has ones at pads."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MaskShowsPads(CallerRule):
    """The attention_mask has ones at pads.

    Why it matters:
        The model reads each pad with a 1 as text. A mask of ones is the same as no mask.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected batch has zeros at its pads.

    Wrong:
        model(input_ids=ids, attention_mask=torch.ones_like(ids))

    Right:
        model(input_ids=ids, attention_mask=batch.attention_mask)
    """

    code = "PAD503"
    name = "mask-shows-pads"
    severity = Severity.ERROR
    message = (
        "The attention_mask counts pads as text: the output differs from that of the same rows alone by up to "
        "{max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "pass the tokenizer's attention_mask"
