"""The processes that torchrun starts for one command (its ranks), and which of them this one is."""

import os
import sys
from pathlib import Path

from padcheck.core.errors import UsageError

TORCHRUN = "torchrun --nproc-per-node 2 -m padcheck compare MODEL --tp-plan auto"


def rank() -> int:
    """The number of this process; 0 writes the report."""
    return _from_environment("RANK", 0)


def world_size() -> int:
    """How many processes run this command, on all machines together."""
    return _from_environment("WORLD_SIZE", 1)


def is_heard(*, in_parallel: bool) -> bool:
    """True where this process speaks for the command. Where another one does, stdout and stderr are closed to it.

    Args:
        in_parallel: Whether the command spreads a model over the ranks.

    Raises:
        UsageError: There are ranks and nothing to spread over them, or the other way round.
    """
    if in_parallel and world_size() < 2:  # noqa: PLR2004
        raise UsageError(
            "--tp-plan needs several processes, and this is the only one.",
            meaning="Each of them holds a part of every layer. torchrun starts them, and tells each its number.",
            change=f"Start it with torchrun, with as many processes as there are GPUs: {TORCHRUN}",
        )
    if not in_parallel and world_size() > 1:
        raise UsageError(
            f"WORLD_SIZE is {world_size()}: several processes run this command, and each would write a report.",
            change=f"Start it once, without torchrun; or spread the model over them: {TORCHRUN}",
        )
    if rank() == 0:
        return True
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for as long as we live
    return False


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default
