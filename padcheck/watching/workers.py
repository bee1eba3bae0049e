"""Passes the rows that worker processes make, such as those of a DataLoader, to the process that runs the model."""

import os
import tempfile
from collections.abc import Sequence

import msgspec

from padcheck.watching.rows import KnownRows


class WorkerRow(msgspec.Struct, array_like=True):
    """A row that a tokenizer made in a worker: its ids, its mask, and the ids that its pads may have."""

    ids: list[int]
    mask: list[int] | None
    pads: Sequence[int | None]


class WorkerRows:
    """A file that a process shares with the children that it forks. Each child appends rows to it.

    A child that is started in another way (spawn) does not inherit the file, and its rows stay unknown.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(mode="a+b", buffering=0)  # noqa: SIM115  open as long as the watcher
        self._process = os.getpid()
        self._read = 0

    def share(self, row: WorkerRow) -> None:
        """Passes a row on, if this process is a child. A write of this size at the end of a file is not torn."""
        if os.getpid() != self._process:
            os.write(self._file.fileno(), msgspec.json.encode(row) + b"\n")

    def collect(self, rows: KnownRows) -> None:
        """Adds what the children have passed on since the last call."""
        size = os.fstat(self._file.fileno()).st_size
        if size == self._read or os.getpid() != self._process:
            return
        new = os.pread(self._file.fileno(), size - self._read, self._read)
        complete = new[: new.rfind(b"\n") + 1]
        self._read += len(complete)
        for line in complete.splitlines():
            row = msgspec.json.decode(line, type=WorkerRow)
            rows.add_pad(*row.pads)
            rows.add(row.ids, row.mask)
