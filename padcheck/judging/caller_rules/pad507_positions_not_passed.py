"""PAD507: A left-padded batch without its positions."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class PositionsNotPassed(CallerRule):
    """A left-padded batch without its positions.

    Why it matters:
        forward() counts positions from the first column, pads included. A model that looks positions up in a
        table, such as GPT-2, then reads every token at a wrong position. generate() computes them from the
        mask.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected batch has positions that count only text.

    Wrong:
        model(**batch)

    Right:
        positions = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
        model(**batch, position_ids=positions)

    References:
        huggingface/transformers#29583, ndif-team/nnsight#672
    """

    code = "PAD507"
    name = "positions-not-passed"
    severity = Severity.ERROR
    message = (
        "{model} gets a left-padded batch without positions that skip the pads: the output differs from that of "
        "the same rows alone by up to {max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "pass position_ids=(attention_mask.cumsum(1) - 1).clamp(min=0)"
