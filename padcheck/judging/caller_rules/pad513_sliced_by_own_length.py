"""PAD513: A generated row is cut at the length of its prompt."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class SlicedByOwnLength(CallerRule):
    """A generated row is cut at the length of its prompt.

    Why it matters:
        In a left-padded batch the new tokens of every row begin after the padded width. The length of one
        prompt is smaller, so a part of the prompt stays in the answer.

    How padcheck knows:
        The decoded ids begin at column N of a generated row, and N is the number of tokens of its prompt. Decoded
        from the padded width on, the text is another one.

    Wrong:
        answer = tokenizer.decode(output[row][lengths[row] :])

    Right:
        answer = tokenizer.decode(output[row][batch["input_ids"].shape[1] :])

    References:
        dottxt-ai/outlines#148
    """

    code = "PAD513"
    name = "sliced-by-own-length"
    severity = Severity.ERROR
    message = (
        "A generated row is cut at column {start}, the length of its own prompt, but the prompts are {width} "
        "columns wide: {tokens} columns of the prompt are in the text."
    )
    fix = "cut every row at input_ids.shape[1]"
