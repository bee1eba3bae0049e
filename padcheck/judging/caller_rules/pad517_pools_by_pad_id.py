"""PAD517: A classification head looks for pads by an id that the batch does not use."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class PoolsByPadId(CallerRule):
    """A classification head looks for pads by an id that the batch does not use.

    Why it matters:
        The head reads each row at its last token that is not config.pad_token_id. If that id is not set, or is
        another one, it reads a pad.

    How padcheck knows:
        The rows with the most pads run again, alone and unpadded. They differ from the batch by more than
        rounding, and the corrected batch does not. The corrected call has the id of the batch's pads in
        config.pad_token_id.

    Wrong:
        tokenizer.pad_token = tokenizer.eos_token
        model(**batch).logits

    Right:
        tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
        model(**batch).logits

    References:
        huggingface/transformers#34055, huggingface/trl#422
    """

    code = "PAD517"
    name = "pools-by-pad-id"
    severity = Severity.ERROR
    message = (
        "{model} looks for pads by id, and the batch uses another one: the output differs from that of the same "
        "rows alone by up to {max_abs_diff:.2g}, and rounding explains at most {allowed:.2g}."
    )
    fix = "model.config.pad_token_id = tokenizer.pad_token_id"
