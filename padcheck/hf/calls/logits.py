"""Stores the logits of one call, in memory if they are small and otherwise in a temporary file.

With a vocabulary of 256,000 the logits of one token take a megabyte, so those of a batch may be larger than the model.
"""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile, gettempdir

import torch

from padcheck.core.errors import NotMeasuredError

_MAX_BYTES_IN_MEMORY = 16 * 2**20
"""The logits of one call are written to disk beyond this size."""

_BLOCK_SIZE = 2**20
"""The largest number of logits that are read at once; one step is always read whole."""

_FLOAT32_BYTES = 4


class LogitsLog:
    """Collects the logits of a batch step by step, and returns those of one row.

    If they are too large for memory, they are written to an unnamed file in the temporary folder (`TMPDIR`).
    """

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._vocab_size = 0
        self._num_added = 0
        # Closed when neither the log nor any of its Logits is in use any more.
        self._file = SpooledTemporaryFile(max_size=_MAX_BYTES_IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def add(self, logits: torch.Tensor) -> None:
        """Adds one step or several.

        Args:
            logits: (steps * batch_size, vocab_size), with all rows of a step before those of the next step.

        Raises:
            NotMeasuredError: The logits cannot be written, for example because the disk is full.
        """
        self._num_added, self._vocab_size = self._num_added + logits.shape[0], logits.shape[1]
        try:
            self._file.write(logits.detach().to("cpu", torch.float32).contiguous().numpy().data)
        except OSError as error:
            raise NotMeasuredError(
                f"Cannot store the logits: {error.strerror or error}.",
                meaning=f"The logits of a batch may be too large for memory, so they are written to {gettempdir()}.",
                change="Free some space there, set TMPDIR to another folder, or lower --batch-size.",
            ) from error

    def __len__(self) -> int:
        """The number of steps."""
        return self._num_added // self._batch_size

    def reordered(self, steps: list[int]) -> "LogitsLog":
        """These steps, in this order."""
        log = LogitsLog(self._batch_size)
        for step in steps:
            log.add(torch.cat([self.read(row, range(step, step + 1)) for row in range(self._batch_size)]))
        return log

    def row(self, row: int, num_steps: int) -> "Logits":
        """The first `num_steps` steps of a row."""
        return Logits(self, row, num_steps, self._vocab_size)

    def read(self, row: int, steps: range) -> torch.Tensor:
        """These steps of a row: (len(steps), vocab_size), float32, a copy on the CPU."""
        size = _FLOAT32_BYTES * self._vocab_size
        numbers = bytearray()
        for step in steps:
            self._file.seek((step * self._batch_size + row) * size)
            numbers += self._file.read(size)
        return torch.frombuffer(numbers, dtype=torch.float32).view(len(steps), self._vocab_size)


@dataclass(frozen=True)
class Logits:
    """The logits of each new token of one row, read when they are needed: (num_steps, vocab_size), float32."""

    _log: LogitsLog
    _row: int
    num_steps: int
    vocab_size: int
    _skipped: int = 0

    def only(self, step: int) -> "Logits":
        """Only this step."""
        return replace(self, num_steps=1, _skipped=self._skipped + step)

    def first(self, num_steps: int) -> "Logits":
        """Only the first `num_steps` steps, or all of them if there are fewer."""
        return replace(self, num_steps=min(num_steps, self.num_steps))

    def at(self, step: int) -> torch.Tensor:
        """The logits of one step, (vocab_size,)."""
        return self._read(step, step + 1)[0]

    def whole(self) -> torch.Tensor:
        """All steps in one tensor, (num_steps, vocab_size). Meant for a few steps; otherwise use `blocks`."""
        return self._read(0, self.num_steps)

    def blocks(self) -> Iterator[torch.Tensor]:
        """All steps in blocks of limited size, (steps, vocab_size) each."""
        at_once = max(1, _BLOCK_SIZE // self.vocab_size)
        for start in range(0, self.num_steps, at_once):
            yield self._read(start, min(start + at_once, self.num_steps))

    def argmax(self) -> tuple[int, ...]:
        """The token with the largest logit at each step."""
        return tuple(token_id for block in self.blocks() for token_id in block.argmax(dim=-1).tolist())

    def _read(self, start: int, end: int) -> torch.Tensor:
        return self._log.read(self._row, range(self._skipped + start, self._skipped + end))
