"""Reports which stage is running, independent of how it is shown, and measures how long each stage takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Shows each stage while it runs.

    Attributes:
        is_watched: True if a person is watching, so libraries may draw progress bars for their downloads.
    """

    is_watched: bool

    def stage(self, description: str, key: str, *, downloads: bool = False) -> AbstractContextManager[None]:
        """A context that lasts as long as the stage.

        Args:
            description: The text to show.
            key: The name of the stage in `Report.seconds`.
            downloads: Whether a library may draw progress bars during this stage.
        """
        ...

    def steps(
        self, description: str, total: int, *, lasting: bool = False
    ) -> AbstractContextManager[Callable[[str], None]]:
        """A context for many steps, with or without stages. It returns a function to call when a step has ended.

        Args:
            description: What the steps are, such as "checking".
            total: How many steps there are.
            lasting: Whether the text that this function is called with stays visible.
        """
        ...


class Silent:
    """Shows nothing, as for --quiet."""

    is_watched = False

    @contextmanager
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:  # noqa: ARG002
        """Shows nothing."""
        yield

    @contextmanager
    def steps(self, description: str, total: int, *, lasting: bool = False) -> Iterator[Callable[[str], None]]:  # noqa: ARG002
        """Shows nothing."""
        yield lambda _text: None


class Stopwatch:
    """Passes each stage on to another progress and measures how long it takes.

    Attributes:
        seconds: Seconds by the key of the stage, in the order in which the stages first ran. Stages that run several
            times add up.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.is_watched = progress.is_watched
        self.steps = progress.steps
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:
        """Passes the stage on and measures it, also if it raises."""
        began = time.perf_counter()
        try:
            with self._progress.stage(description, key, downloads=downloads):
                yield
        finally:
            self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - began
