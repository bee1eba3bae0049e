"""The logits of one call: in memory while they are few, on disk beyond that.

With a vocabulary of 256,000 one token's logits are a megabyte, so those of a batch may be larger than the model.
"""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile, gettempdir

import torch

from padcheck.core.errors import NotMeasuredError

_IN_MEMORY = 16 * 2**20
"""Bytes of one call."""

_BLOCK = 2**20
"""How many numbers are compared at once, at most, unless one token has more."""

_SIZE = 4
"""Bytes of a float32."""


class LogitsLog:
    """Takes the logits of a batch as they come, step after step, and gives back those of a row.

    What does not fit into memory goes to a file without a name in the folder for temporary files (`TMPDIR`).
    """

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._vocab_size = 0
        self._number = 0
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  open as long as somebody reads it
        weakref.finalize(self, self._file.close)

    def add(self, logits: torch.Tensor) -> None:
        """One step or several: (steps * batch_size, vocab_size), all rows of a step before those of the next.

        Raises:
            NotMeasuredError: They cannot be written, as where the disk is full.
        """
        self._number, self._vocab_size = self._number + logits.shape[0], logits.shape[1]
        try:
            self._file.write(logits.detach().to("cpu", torch.float32).contiguous().numpy().data)
        except OSError as error:
            raise NotMeasuredError(
                f"The logits cannot be kept: {error.strerror or error}.",
                meaning=f"Those of a batch are more than memory should hold; they go to {gettempdir()}.",
                change="Make room there, set TMPDIR to another folder, or lower --batch-size.",
            ) from error

    def __len__(self) -> int:
        """The number of steps."""
        return self._number // self._batch_size

    def row(self, row: int, num_steps: int) -> "Logits":
        """The first steps of a row."""
        return Logits(self, row, num_steps, self._vocab_size)

    def read(self, row: int, steps: range) -> torch.Tensor:
        """These steps of a row: (len(steps), vocab_size), float32, a copy on the CPU."""
        size = _SIZE * self._vocab_size
        numbers = bytearray()
        for step in steps:
            self._file.seek((step * self._batch_size + row) * size)
            numbers += self._file.read(size)
        return torch.frombuffer(numbers, dtype=torch.float32).view(len(steps), self._vocab_size)


@dataclass(frozen=True)
class Logits:
    """Of each new token of one row: (num_steps, vocab_size), float32."""

    _log: LogitsLog
    _row: int
    num_steps: int
    vocab_size: int
    _skipped: int = 0

    def only(self, step: int) -> "Logits":
        """One step alone."""
        return replace(self, num_steps=1, _skipped=self._skipped + step)

    def first(self, num_steps: int) -> "Logits":
        """The first steps alone."""
        return replace(self, num_steps=min(num_steps, self.num_steps))

    def at(self, step: int) -> torch.Tensor:
        """One step, (vocab_size,)."""
        return self._read(step, step + 1)[0]

    def whole(self) -> torch.Tensor:
        """All steps at once, for who knows that they are few."""
        return self._read(0, self.num_steps)

    def blocks(self) -> Iterator[torch.Tensor]:
        """All steps, as many at once as are small enough: (steps, vocab_size) each."""
        at_once = max(1, _BLOCK // self.vocab_size)
        for start in range(0, self.num_steps, at_once):
            yield self._read(start, min(start + at_once, self.num_steps))

    def argmax(self) -> tuple[int, ...]:
        """The likeliest token of each step."""
        return tuple(token_id for block in self.blocks() for token_id in block.argmax(dim=-1).tolist())

    def _read(self, start: int, end: int) -> torch.Tensor:
        return self._log.read(self._row, range(self._skipped + start, self._skipped + end))
