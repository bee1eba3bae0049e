"""PAD502: A padded batch without its attention_mask."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MaskNotPassed(CallerRule):
    """A padded batch without its attention_mask.

    Why it matters:
        Without a mask the model reads the pads as text.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected batch has its mask.

    Wrong:
        model.generate(batch.input_ids)

    Right:
        model.generate(**batch)

    References:
        QwenLM/Qwen3#814, huggingface/transformers#25284
    """

    code = "PAD502"
    name = "mask-not-passed"
    severity = Severity.ERROR
    message = (
        "The batch has pads and no attention_mask: the output differs from that of the same rows alone by up to "
        "{max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "pass attention_mask=batch.attention_mask"
