"""The processes of a watched program: children that it forks or spawns, and the ranks that a launcher has started.

All of them write what they see into one folder. One process reports it: the program itself, or the first rank on this
machine.
"""

import multiprocessing.spawn
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from padcheck.core import torchrun
from padcheck.core.errors import UsageError

_LONGEST_START = 60.0
"""Seconds to wait until another rank has started padcheck too."""


class Processes:
    """A folder for one program, and the part of this process in it.

    Attributes:
        folder: What the processes share.
        owner: The process that runs the program.
        reports: Whether the owner makes the report.
    """

    def __init__(self, folder: Path | None = None, owner: int | None = None) -> None:
        """Makes the folder, or in a child takes over the folder and the owner."""
        self.owner = os.getpid() if owner is None else owner
        self.folder = Path(tempfile.mkdtemp(prefix="padcheck-")) if folder is None else folder
        self.reports = True
        if owner is None:
            weakref.finalize(self, _remove, self.folder, self.owner)

    @property
    def is_reporting(self) -> bool:
        """True in the process that makes the report."""
        return self.reports and os.getpid() == self.owner

    @property
    def has_seen(self) -> bool:
        """True in the process that makes the report, if another one has written something for it."""
        seen = self.folder / "seen"
        return self.is_reporting and seen.exists() and seen.stat().st_size > 0

    def leave(self) -> None:
        """Called when this process has written everything."""

    def wait(self) -> list[str]:
        """Waits until the others have written what they saw; returns a note for each that did not take part."""
        return []


class Ranks(Processes):
    """The ranks that torchrun or accelerate has started on this machine. The first one reports for all."""

    def __init__(self) -> None:
        import fcntl  # torchrun starts no ranks on Windows

        folder = Path(tempfile.gettempdir(), f"padcheck-{os.getuid()}-{_launch()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise UsageError(f"{folder} belongs to another user.", change="Set TMPDIR to another folder.")
        super().__init__(folder, os.getpid())
        self.reports = torchrun.local_rank() == 0
        if self.reports:
            weakref.finalize(self, _remove, folder, self.owner)
        else:
            # The lock ends with this process, however it ends.
            self._lock = os.open(folder / f"rank-{torchrun.local_rank()}", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Called when this rank has written everything. Its children may live on with the lock."""
        if not self.reports:
            os.close(self._lock)

    def wait(self) -> list[str]:
        """Waits until the other ranks on this machine have ended, in any way."""
        import fcntl

        notes = []
        for rank in range(1, torchrun.local_world_size()):
            path = self.folder / f"rank-{rank}"
            latest = time.monotonic() + _LONGEST_START
            while not path.exists() and time.monotonic() < latest:
                time.sleep(0.05)
            if not path.exists():
                notes.append(f"local rank {rank} did not run under padcheck, or ended before it was watched")
                continue
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
        return notes


def processes() -> Processes:
    """The processes of the program that this command runs: its ranks if a launcher has started this process."""
    return Ranks() if torchrun.local_world_size() > 1 else Processes()


@contextmanager
def in_spawned_children(start: Callable[..., None], *args: object) -> Iterator[None]:
    """Within the context, each process that multiprocessing spawns calls `start(*args)` before anything else."""
    original = multiprocessing.spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {**original(name), "padcheck": _WhenUnpickled(start, args)}

    multiprocessing.spawn.get_preparation_data = get_preparation_data
    try:
        yield
    finally:
        if multiprocessing.spawn.get_preparation_data is get_preparation_data:
            multiprocessing.spawn.get_preparation_data = original


class _WhenUnpickled:
    """Calls a function in the process that unpickles it. multiprocessing ignores the name under which it is sent."""

    def __init__(self, function: Callable[..., None], args: tuple[object, ...]) -> None:
        self._call = function, args

    def __reduce__(self) -> tuple[Callable[..., None], tuple[object, ...]]:
        return self._call


def _launch() -> str:
    """A name that the ranks of one start of a launcher on this machine share, and no others."""
    names = ("MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")
    given = "-".join(os.environ.get(name, "") for name in names)
    return f"{os.getppid()}-" + "".join(each for each in given if each.isalnum() or each == "-")


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
