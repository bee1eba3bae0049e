"""PAD523: The output changes if padded batches are wider."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class OutputDependsOnWidth(CallerRule):
    """The output changes if padded batches are wider.

    Why it matters:
        Pads mean nothing, so a program must say the same with more of them. Otherwise its results depend on the
        longest text of each batch. It may also be right: a program may print the batch itself, or how wide it is.

    How padcheck knows:
        With --widen N the program runs again: once unchanged, and once with N more pad columns in every padded batch
        that leaves a tokenizer. What it prints, and the results that it gives to padcheck, are compared within
        rounding. What differs between two unchanged runs is left out. A difference is confirmed by one more run.

    Wrong:
        print(model(**batch).logits[:, -1].argmax(-1).tolist())  # right-padded

    Right:
        last = batch.attention_mask.sum(1) - 1  # right-padded
        print(model(**batch).logits[torch.arange(len(last)), last].argmax(-1).tolist())
    """

    code = "PAD523"
    name = "output-depends-on-width"
    severity = Severity.WARNING
    message = (
        "With {columns} more pad columns in every padded batch, {values} values that this line of code says differ: "
        "{plain!r} becomes {widened!r} ({label}, column {column}).{cause}"
    )
    fix = "fix the first mistake that was found, or look for what counts the columns of a batch"
