"""PAD508: A value is read from a pad."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class ReadFromPad(CallerRule):
    """A value is read from a pad.

    Why it matters:
        The output at a pad means nothing. The last column of a right-padded batch, or the first one of a
        left-padded batch, is a pad in every row but the longest.

    How padcheck knows:
        The output of the model has a twin with other numbers at the pads. Each operation of the code runs on
        both. The value that was read differs, and it was used: as a number, as text, for a gradient, or as the
        next input. A line that reads every column of a row in turn is a loop and is not reported.

    Wrong:
        logits = model(**batch).logits[:, -1]  # right-padded

    Right:
        last = batch.attention_mask.sum(1) - 1  # right-padded
        logits = model(**batch).logits[torch.arange(len(last)), last]

    References:
        xiezijun714-lang/Echo#24, huggingface/sentence-transformers#3208
    """

    code = "PAD508"
    name = "read-from-pad"
    severity = Severity.ERROR
    message = (
        "A value is read from a pad of the output of {model}: other numbers at the pads move it by {max_abs_diff:.2g}."
    )
    fix = "read each row at its last real token, which depends on the padding side"
