"""How the engine says what it is doing, without knowing of a screen, and how long each stage takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Told of each stage while it runs.

    Attributes:
        is_watched: True where a person watches, so that libraries may draw the bars of their downloads.
    """

    is_watched: bool

    def stage(self, description: str, key: str, *, downloads: bool = False) -> AbstractContextManager[None]:
        """A context that lasts as long as the stage does.

        Args:
            description: For a person.
            key: What the stage is called where its time is told.
            downloads: Whether a library may draw bars in it.
        """
        ...

    def steps(self, description: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        """A context for many steps; what it gives is called with the name of each step that is done."""
        ...


class Silent:
    """Says nothing: not a terminal, or --quiet."""

    is_watched = False

    @contextmanager
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:  # noqa: ARG002
        """Says nothing."""
        yield

    @contextmanager
    def steps(self, description: str, total: int) -> Iterator[Callable[[str], None]]:  # noqa: ARG002
        """Says nothing."""
        yield lambda _name: None


class Stopwatch:
    """Another progress, and how long each stage took.

    Attributes:
        seconds: By the key of the stage, in the order in which they first ran. What runs once a batch adds up.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.is_watched = progress.is_watched
        self.steps = progress.steps
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:
        """Says it, and takes the time; of a stage that raises as well."""
        began = time.perf_counter()
        try:
            with self._progress.stage(description, key, downloads=downloads):
                yield
        finally:
            self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - began


class OfBatch:
    """Another progress that also says which of several batches a stage belongs to."""

    def __init__(self, progress: Progress, number: int, batches: int) -> None:
        self._progress = progress
        self._of = f" (batch {number} of {batches})" if batches > 1 else ""
        self.is_watched = progress.is_watched
        self.steps = progress.steps

    def stage(self, description: str, key: str, *, downloads: bool = False) -> AbstractContextManager[None]:
        """Says the same of the batch."""
        return self._progress.stage(description + self._of, key, downloads=downloads)
