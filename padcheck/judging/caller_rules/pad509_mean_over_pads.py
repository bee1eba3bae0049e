"""PAD509: A mean or a sum includes pads."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MeanOverPads(CallerRule):
    """A mean or a sum includes pads.

    Why it matters:
        The result changes with the number of pads, and so with the other rows of the batch. A mean over the
        padded width is too small even if the pads are zeroed before.

    How padcheck knows:
        The output of the model has a twin with other numbers at the pads. Each operation of the code runs on
        both. The result differs, and it was used. In a mean, the twin leaves out the pads.

    Wrong:
        embedding = hidden.mean(dim=1)

    Right:
        mask = attention_mask.unsqueeze(-1)
        embedding = (hidden * mask).sum(1) / mask.sum(1)
    """

    code = "PAD509"
    name = "mean-over-pads"
    severity = Severity.ERROR
    message = (
        "{operation}() includes pads of the output of {model}: without them the result moves by {max_abs_diff:.2g}."
    )
    fix = "multiply by the mask, and divide by the number of real tokens, mask.sum(1)"
