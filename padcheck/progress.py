"""How the engine says what it is doing, without knowing of a screen."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Told of each stage while it runs.

    Attributes:
        is_watched: True where a person watches, so that libraries may draw the bars of their downloads.
    """

    is_watched: bool

    def stage(self, description: str, *, downloads: bool = False) -> AbstractContextManager[None]:
        """A context that lasts as long as the stage does; `downloads` where a library may draw bars in it."""
        ...

    def steps(self, description: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        """A context for many steps; what it gives is called with the name of each step that is done."""
        ...


class Silent:
    """Says nothing: not a terminal, or --quiet."""

    is_watched = False

    @contextmanager
    def stage(self, description: str, *, downloads: bool = False) -> Iterator[None]:  # noqa: ARG002
        """Says nothing."""
        yield

    @contextmanager
    def steps(self, description: str, total: int) -> Iterator[Callable[[str], None]]:  # noqa: ARG002
        """Says nothing."""
        yield lambda _name: None
