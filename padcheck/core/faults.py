"""What `padcheck run` sees in the user's code: faults as plain numbers and texts."""

import msgspec

from padcheck.core.facts import Count


class CodePlace(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the user's code, counted from 1."""

    file: str
    line: int


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One padding mistake at one line, as measured.

    Attributes:
        code: The code of its rule, such as PAD501.
        place: The line to look at.
        facts: The numbers and texts that the rule's message needs.
        rank: The number of the process that made it; None if the program is one process.
    """

    code: str
    place: CodePlace
    facts: dict[str, object]
    rank: int | None = None


class WatchedCalls(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls were watched.

    Attributes:
        tokenizer: The calls that made token ids.
        generate: The calls of generate().
        forward: The outermost calls of a model.
        padded: The calls of a model whose batch contained pads of a known text.
        checked: Of the padded calls, those that were checked.
        unknown: The calls of a model whose mask hides columns of rows that no tokenizer of this program made.
    """

    tokenizer: Count = 0
    generate: Count = 0
    forward: Count = 0
    padded: Count = 0
    checked: Count = 0
    unknown: Count = 0

    @property
    def of_a_model(self) -> int:
        """The number of calls of a model."""
        return self.generate + self.forward
