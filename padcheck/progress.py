"""How the engine says what it is doing, without knowing of a screen."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Told of each stage while it runs."""

    def stage(self, description: str) -> AbstractContextManager[None]:
        """A context that lasts as long as the stage does."""
        ...


class Silent:
    """Says nothing: not a terminal, or --quiet."""

    @contextmanager
    def stage(self, description: str) -> Iterator[None]:  # noqa: ARG002
        """Says nothing."""
        yield
