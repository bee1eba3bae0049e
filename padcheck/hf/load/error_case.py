"""One thing that goes wrong while a model is loaded: what it looks like, and what to tell the user."""

import re
from typing import NamedTuple


class Case(NamedTuple):
    """One thing that goes wrong: how to recognise it in a chain of exceptions, and what to say.

    `types` are exceptions, `words` regular expressions for the name of the type and the message.
    """

    types: tuple[type[BaseException], ...]
    words: tuple[str, ...]
    what: str
    meaning: str
    change: str

    def matches(self, error: BaseException) -> bool:
        """True where the type or the words fit."""
        text = f"{type(error).__name__}: {error}"
        return isinstance(error, self.types) or any(re.search(word, text) for word in self.words)
