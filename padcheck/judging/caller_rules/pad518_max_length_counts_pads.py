"""PAD518: max_length counts the pads."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MaxLengthCountsPads(CallerRule):
    """max_length counts the pads.

    Why it matters:
        max_length limits the padded prompt and the answer together, so short prompts get fewer new tokens in a
        batch than alone.

    How padcheck knows:
        A padded row of the output ends at max_length without an eos. Alone its prompt would be shorter by its
        pads.

    Wrong:
        model.generate(**batch, max_length=50)

    Right:
        model.generate(**batch, max_new_tokens=20)

    References:
        huggingface/transformers#19699
    """

    code = "PAD518"
    name = "max-length-counts-pads"
    severity = Severity.WARNING
    message = (
        "{rows} rows with pads stop at max_length={max_length} after {new} new tokens. Alone a prompt would get "
        "up to {alone}."
    )
    fix = "pass max_new_tokens in place of max_length"
