"""PAD501: generate() got a right-padded batch."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class RightPaddedGenerate(CallerRule):
    """generate() got a right-padded batch.

    Why it matters:
        generate() appends new tokens after the last column. In a right-padded row that column is a pad, so the
        model continues from a pad.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected batch has its pads on the left.

    Wrong:
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        model.generate(**batch)

    Right:
        batch = tokenizer(texts, padding=True, padding_side="left", return_tensors="pt")
        model.generate(**batch)

    References:
        huggingface/transformers#18388, huggingface/transformers#34658
    """

    code = "PAD501"
    name = "right-padded-generate"
    severity = Severity.ERROR
    message = (
        "generate() continues {padded_rows} of {batch_size} rows from a pad, because the batch is right-padded: "
        "the output differs from that of the same rows alone by up to {max_abs_diff:.2g}, and rounding explains "
        "at most {allowed:.2g}."
    )
    fix = 'tokenizer(..., padding_side="left")'
