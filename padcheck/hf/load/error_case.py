"""One way in which loading fails: how to recognise it, and what to tell the user."""

from typing import NamedTuple

from padcheck.hf.library.exceptions import matches


class LoadErrorCase(NamedTuple):
    """One way in which loading a model fails.

    Attributes:
        types: Exceptions that mean this failure.
        words: Regular expressions that mean it when found in "TypeName: message".
        what: What happened. The three texts may hold the fields source, part, revision, file, kind and error.
        meaning: What it usually means.
        change: What to change.
    """

    types: tuple[type[BaseException], ...]
    words: tuple[str, ...]
    what: str
    meaning: str
    change: str

    def matches(self, error: BaseException) -> bool:
        """True if the type fits or the words are found."""
        return matches(error, self.types, self.words)
