"""Which of the processes (ranks) that torchrun started for one command this one is, and whether it may print."""

import os
import sys
from pathlib import Path

from padcheck.core.errors import UsageError

TORCHRUN = "torchrun --nproc-per-node 2 -m padcheck compare MODEL --tp-plan auto"


def rank() -> int:
    """The number of this process. Rank 0 writes the report."""
    return _from_environment("RANK", 0)


def world_size() -> int:
    """The number of processes that run this command, over all machines."""
    return _from_environment("WORLD_SIZE", 1)


def local_rank() -> int:
    """The number of this process among those on this machine."""
    return _from_environment("LOCAL_RANK", 0)


def local_world_size() -> int:
    """The number of processes on this machine; 1 if no launcher says so."""
    return _from_environment("LOCAL_WORLD_SIZE", 1)


def is_heard(*, in_parallel: bool) -> bool:
    """True for rank 0, which writes the report. On any other rank stdout and stderr are discarded from now on.

    Args:
        in_parallel: Whether the command spreads a model over the ranks.

    Raises:
        UsageError: There are several ranks and no model to spread over them, or a model to spread and one rank.
    """
    if in_parallel and world_size() < 2:  # noqa: PLR2004
        raise UsageError(
            "--tp-plan needs several processes, and this is the only one.",
            meaning="Each process holds a part of every layer. torchrun starts them and gives each one its number.",
            change=f"Start it with torchrun, one process per GPU: {TORCHRUN}",
        )
    if not in_parallel and world_size() > 1:
        raise UsageError(
            f"WORLD_SIZE is {world_size()}: several processes run this command, and each would write a report.",
            change=f"Start it once, without torchrun, or spread the model over the processes: {TORCHRUN}",
        )
    if rank() == 0:
        return True
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  stays open until the end
    return False


def unmute() -> None:
    """Gives a rank its stderr back, so that it can say why it ends."""
    if rank() != 0:
        sys.stderr = sys.__stderr__ or sys.stderr


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default
