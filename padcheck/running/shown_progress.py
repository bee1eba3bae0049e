"""Shows progress: one line that changes in a terminal, or a new line every ten seconds in a log."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from padcheck.reporters.text.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

INTERVAL = 10.0
"""Seconds between two lines of a log."""


@dataclass
class _Steps:
    """Steps that run one after the other, or at the same time."""

    description: str
    total: int
    began: float
    done: int = 0
    last: str = ""
    last_done: float = 0.0

    def in_words(self) -> str:
        last = f" ({self.last})" if self.last else ""
        return f"{self.description}: {self.done} of {self.total} done{last}"

    def seconds_left(self, now: float) -> float:
        """An estimate: the other steps take as long as those that are done. 0 if unknown."""
        if not self.done:
            return 0.0
        return self.began + (self.last_done - self.began) / self.done * self.total - now


class _Shown(ABC):
    """What is running, in words. The subclasses show it."""

    is_watched = False

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._steps: list[_Steps] = []
        self._stages: list[str] = []

    def in_words(self) -> str:
        """The stage, the steps that are done, the time since the start, and an estimate of the rest."""
        now = self._clock()
        parts = [*self._stages[-1:], *(steps.in_words() for steps in self._steps)]
        left = next((seconds for steps in self._steps if (seconds := steps.seconds_left(now)) > 0), 0.0)
        rest = f", about {_minutes(left)} left" if left else ""
        return f"{visible(', '.join(parts))} | {_minutes(now - self._began)}{rest}"

    @contextmanager
    def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:  # noqa: ARG002
        """Shows the stage until it ends."""
        self._stages.append(description)
        self._changed(downloads=downloads)
        try:
            yield
        finally:
            self._stages.pop()
            self._changed()

    @contextmanager
    def steps(self, description: str, total: int, *, lasting: bool = False) -> Iterator[Callable[[str], None]]:
        """Shows how many steps are done. One step is not worth a word."""
        if total == 1:
            yield lambda _text: None
            return
        steps = _Steps(description, total, self._clock())

        def step(text: str) -> None:
            steps.done += 1
            steps.last_done = self._clock()
            if lasting:
                self._print(visible(text))
            else:
                steps.last = text
            self._changed()

        self._steps.append(steps)
        self._changed()
        try:
            yield step
        finally:
            self._steps.pop()
            self._changed()

    @abstractmethod
    def _changed(self, *, downloads: bool = False) -> None:
        """Shows the stages and steps as they are now."""

    @abstractmethod
    def _print(self, line: str) -> None:
        """Prints a line that stays."""


class Terminal(_Shown):
    """Shows one line with a spinner, which disappears at the end."""

    is_watched = True

    def __init__(self, console: "Console", clock: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        super().__init__(clock)
        self._console = console
        self._spinner = Spinner("dots", style="status.spinner")
        # Redirected, sys.stderr would no longer escape what libraries write.
        self._live = Live(
            get_renderable=self._line,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _line(self) -> Any:
        from rich.text import Text

        self._spinner.update(text=Text(self.in_words(), overflow="ellipsis", no_wrap=True))
        return self._spinner

    def _changed(self, *, downloads: bool = False) -> None:
        """If libraries show download bars, a line above them replaces the spinner."""
        if downloads:
            self._live.stop()
            self._print(visible(self._stages[-1]))
        elif self._stages or self._steps:
            self._live.start()
        else:
            self._live.stop()

    def _print(self, line: str) -> None:
        from rich.text import Text

        self._console.print(Text(line, style="dim"))


class Log(_Shown):
    """Writes a line every ten seconds, for a log file or the log of a pipeline. A run of a few seconds writes none."""

    def __init__(
        self,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        super().__init__(clock)
        self._write = write
        self._timer = timer
        self._waiting: threading.Timer | None = None
        self._last = self._began
        self._lock = threading.RLock()

    def _changed(self, *, downloads: bool = False) -> None:  # noqa: ARG002
        """Writes a line if it is time for one, and waits for the next one while something runs."""
        with self._lock:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
            if not self._stages and not self._steps:
                return
            if self._clock() - self._last >= INTERVAL:
                self._print(self.in_words())
            self._waiting = self._timer(self._last + INTERVAL - self._clock(), self._changed)
            self._waiting.daemon = True
            self._waiting.start()

    def _print(self, line: str) -> None:
        with self._lock:
            self._write(f"padcheck: {line}\n")
            self._last = self._clock()


def _minutes(seconds: float) -> str:
    """Such as 0:42 or 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
