"""PAD505: The attention_mask belongs to other rows, or to the other padding side."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MaskOfOtherRows(CallerRule):
    """The attention_mask belongs to other rows, or to the other padding side.

    Why it matters:
        The mask hides text and shows pads. It happens if the ids were sorted, selected or padded again, and the
        mask was not.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. Each row of the corrected batch has its mask.

    Wrong:
        ids = batch.input_ids[order]
        model(input_ids=ids, attention_mask=batch.attention_mask)

    Right:
        batch = {name: value[order] for name, value in batch.items()}
        model(**batch)
    """

    code = "PAD505"
    name = "mask-of-other-rows"
    severity = Severity.ERROR
    message = (
        "The attention_mask does not belong to these rows: it shows pads and hides text. The output differs from "
        "that of the same rows alone by up to {max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "sort, select and pad input_ids and attention_mask together"
