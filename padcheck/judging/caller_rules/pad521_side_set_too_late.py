"""PAD521: The padding side was set after the batch was made."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class SideSetTooLate(CallerRule):
    """The padding side was set after the batch was made.

    Why it matters:
        padding_side takes effect in the next call of the tokenizer. A batch that exists keeps its pads on the
        right, and generate() continues from a pad.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected batch has its pads on the left. The tokenizer
        that made the batch pads on the left by now.

    Wrong:
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        tokenizer.padding_side = "left"
        model.generate(**batch)

    Right:
        tokenizer.padding_side = "left"
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        model.generate(**batch)
    """

    code = "PAD521"
    name = "side-set-too-late"
    severity = Severity.ERROR
    message = (
        "The tokenizer pads on the left now, but this batch was made before, with its pads on the right: the "
        "output differs from that of the same rows alone by up to {max_abs_diff:.2g}, and rounding explains at "
        "most {allowed:.2g}."
    )
    fix = 'set padding_side = "left" before the tokenizer is called'
