"""Keeps threads apart: while padcheck runs a model for a check, no other thread is inside a model."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_WAIT = 10.0
"""Seconds to wait for other threads. One of them may itself wait for the thread that would check."""


class Turns:
    """Counts the threads inside a model. A check changes the model's state for a moment, which they would notice."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._checking = threading.Lock()
        self._inside = 0
        self._is_closed = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within the context this thread is inside a model. Waits for a check that is running."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Within the context no other thread enters a model. Yields False if one stays inside."""
        with self._checking:
            with self._changed:
                self._is_closed = True
                is_alone = self._changed.wait_for(lambda: self._inside == 0, _LONGEST_WAIT)
            try:
                yield is_alone
            finally:
                with self._changed:
                    self._is_closed = False
                    self._changed.notify_all()
