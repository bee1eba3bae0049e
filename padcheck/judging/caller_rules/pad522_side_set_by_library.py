"""PAD522: A library has changed the padding side."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class SideSetByLibrary(CallerRule):
    """A library has changed the padding side.

    Why it matters:
        A pipeline or a trainer sets padding_side of the tokenizer that it gets. The tokenizer is the program's own,
        so all later batches of the program are padded on the other side.

    How padcheck knows:
        A library, and not the program, has set padding_side before the batch was made. The batch differs from its
        rows alone by more than rounding, and a call that fits the side does not; or a value was read from a pad.

    Wrong:
        generator = pipeline("text-generation", model=model, tokenizer=tokenizer)
        batch = tokenizer(texts, padding=True, return_tensors="pt")  # left-padded now
        model(**batch)

    Right:
        generator = pipeline("text-generation", model=model, tokenizer=tokenizer)
        batch = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
        model(**batch)
    """

    code = "PAD522"
    name = "side-set-by-library"
    severity = Severity.ERROR
    message = (
        "The batch is padded on the {side}, because {library}, which was called{called_at}, has changed padding_side "
        "from {before}: {effect}."
    )
    fix = "pass padding_side to the tokenizer in each call, or give the library its own tokenizer"
