"""PAD510: The loss counts pads."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class LabelsOnPads(CallerRule):
    """The loss counts pads.

    Why it matters:
        The model learns to predict pads, and the loss depends on how much padding a batch has.

    How padcheck knows:
        The same call runs again with -100 as the label of every pad, and the loss differs. For a loss that the
        code computes itself, the logits at pads get other numbers, and the loss differs.

    Wrong:
        model(**batch, labels=batch.input_ids)

    Right:
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        model(**batch, labels=labels)
    """

    code = "PAD510"
    name = "labels-on-pads"
    severity = Severity.ERROR
    message = "The loss counts the labels of pads: {effect}."
    fix = "labels = input_ids.masked_fill(attention_mask == 0, -100)"
