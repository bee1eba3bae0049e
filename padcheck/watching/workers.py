"""Passes what other processes of the program see to the one that reports it: forked and spawned children, and ranks.

Processes append lines to files in a folder that they share. A line is on the disk as soon as it is written, so it also
arrives if its process is killed.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import torch.distributed as dist

from padcheck.core import torchrun
from padcheck.core.faults import Fault

SEEN = "seen"
"""The file for everything but rows."""


class WorkerRow(msgspec.Struct, array_like=True, tag=True):
    """A row that a tokenizer made: its ids, its mask, and the ids that its pads may have."""

    ids: list[int]
    mask: list[int] | None
    pads: Sequence[int | None]


class Counted(msgspec.Struct, array_like=True, tag=True):
    """A call that was watched."""

    kind: str
    number: int


class Found(msgspec.Struct, array_like=True, tag=True):
    """A mistake."""

    fault: Fault


class Noted(msgspec.Struct, array_like=True, tag=True):
    """What could not be checked."""

    text: str


class Workers:
    """The processes of one program, which share a folder, as seen from this one.

    Attributes:
        owner: The process whose children send their rows to it.
        reports: Whether the owner reports what is found; otherwise another rank does.
    """

    def __init__(self, folder: Path, owner: int, *, reports: bool) -> None:
        """Prepares to send or to receive."""
        self.owner = owner
        self.reports = reports
        self._rows = _Lines(folder / f"rows-{owner}")
        self._seen = _Lines(folder / SEEN)

    @property
    def is_owner(self) -> bool:
        """True in the process that runs the program; False in its children."""
        return os.getpid() == self.owner

    @property
    def is_reporting(self) -> bool:
        """True in the process that makes the report."""
        return self.reports and self.is_owner

    def share(self, row: WorkerRow) -> None:
        """A child passes a row on to the owner."""
        if not self.is_owner:
            self._rows.append(row)

    def tell(self, seen: Counted | Found | Noted) -> None:
        """Passes on what this process saw, if another one reports it."""
        if not self.is_reporting:
            self._seen.append(seen)

    def rows(self) -> Iterator[WorkerRow]:
        """The rows that arrived since the last call."""
        for line in self._rows.new() if self.is_owner else ():
            yield msgspec.json.decode(line, type=WorkerRow)

    def seen(self) -> Iterator[Counted | Found | Noted]:
        """What else arrived since the last call."""
        for line in self._seen.new() if self.is_reporting else ():
            yield msgspec.json.decode(line, type=Counted | Found | Noted)


def current_rank() -> int | None:
    """The number of this process among those that a launcher, or the program itself, has started; None if it is one."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank() if dist.get_world_size() > 1 else None
    return torchrun.rank() if torchrun.world_size() > 1 else None


class _Lines:
    """A file to which processes append lines. A write of this size at the end of a file is not torn."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._read = 0

    def append(self, message: msgspec.Struct) -> None:
        os.write(self._file, msgspec.json.encode(message) + b"\n")

    def new(self) -> list[bytes]:
        """The complete lines since the last call."""
        size = os.fstat(self._file).st_size
        if size == self._read:
            return []
        new = os.pread(self._file, size - self._read, self._read)
        complete = new[: new.rfind(b"\n") + 1]
        self._read += len(complete)
        return complete.splitlines()

    def __del__(self) -> None:
        os.close(self._file)
