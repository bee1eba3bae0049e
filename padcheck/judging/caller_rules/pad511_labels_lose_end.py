"""PAD511: The last token of a text is no label."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class LabelsLoseEnd(CallerRule):
    """The last token of a text is no label.

    Why it matters:
        If the token that ends a text has the label -100, the model never learns to stop. It happens if labels
        are masked by the pad id, and the pad token is also the eos token.

    How padcheck knows:
        The ids of the text are known from the tokenizer. Its last token has the label -100, and the token
        before it has a label.

    Wrong:
        labels[labels == tokenizer.pad_token_id] = -100

    Right:
        labels = input_ids.masked_fill(attention_mask == 0, -100)

    References:
        huggingface/transformers#23530, huggingface/trl#976
    """

    code = "PAD511"
    name = "labels-lose-end"
    severity = Severity.WARNING
    message = (
        "The last token of {rows} texts (id {token_id}) has the label -100, so the model does not learn to end there."
    )
    fix = "mask the labels by attention_mask, not by the pad id"
