"""Tensor parallelism: spreads one model over the processes (ranks) that torchrun starts, with torch.distributed.

All ranks run the same measurement and must take the same decisions, since each takes part in every collective. They
decide on the logits, and all of them use those of rank 0. If one rank fails alone, the command ends. torchrun stops the
other ranks when a process ends with an error. The ranks only have to notice that they are no longer in step.
"""

import inspect
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import torch
import torch.distributed as dist
from transformers import PretrainedConfig, PreTrainedModel

from padcheck.core import torchrun
from padcheck.core.errors import NotMeasuredError, PadcheckError, UsageError, memory_ran_out
from padcheck.core.exit_codes import ExitCode
from padcheck.hf.library.exceptions import is_out_of_memory, shortened

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

_TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for the others to start, or for their part of a collective."""

_GRACE = 10.0
"""Seconds that a rank that failed waits for the others to fail too. They may be stuck in a collective without it."""

_LONGEST_STEP = 3600.0
"""Seconds that a rank waits for the others at the end of a step. They may still be downloading the weights."""

_store: "Store | None" = None
"""The key-value store that all ranks share while they are joined."""


@contextmanager
def joined(*, wanted: bool) -> Iterator[None]:
    """Within the context the ranks of this command are one group; nothing happens if that is not `wanted`.

    Rank 0 leaves the context and reports. The other ranks end there, with exit code 0 even after an error that all
    ranks share: if one of them ended with an error, torchrun would stop rank 0 before it has reported.

    Raises:
        UsageError: This transformers has no tensor parallelism, or there are more processes than GPUs.
        NotMeasuredError: The ranks do not find each other.
    """
    if not wanted:
        yield
        return
    _require_support()
    global _store  # noqa: PLW0603
    _store = _shared_store()
    try:
        with in_step():
            _form_group(_store)
            yield
    except Exception:
        if torchrun.rank() == 0:
            raise
    finally:
        _store = None
        if dist.is_initialized():
            dist.destroy_process_group()
    if torchrun.rank() != 0:
        # At once, since the interpreter needs a second to end: if rank 0 ends with an error, torchrun stops the ranks
        # that still run.
        _end(ExitCode.OK)


@contextmanager
def in_step() -> Iterator[None]:
    """One step of the measurement. It succeeds on all ranks or fails on all ranks; otherwise the command ends."""
    try:
        yield
    except Exception as error:
        _meet(error)
        raise
    _meet(None)


def tensor_parallel(config: PretrainedConfig, tp_plan: str) -> dict[str, object]:
    """The arguments of from_pretrained() that spread a model over the ranks.

    Raises:
        UsageError: The number of ranks does not divide the number of heads.
    """
    from transformers.distributed import DistributedConfig  # noqa: PLC0415  older versions do not have it

    number, text = torchrun.world_size(), config.get_text_config(decoder=True)
    for key in ("num_attention_heads", "num_key_value_heads"):
        heads = getattr(text, key, None)
        if isinstance(heads, int) and heads % number:
            raise UsageError(
                f"{heads} heads ({key}) cannot be divided evenly among {number} ranks.",
                meaning="Tensor parallelism gives each rank the same number of whole heads.",
                change="Start a number of processes that divides num_attention_heads and num_key_value_heads, or use "
                "--device-map auto.",
            )
    return {"distributed_config": DistributedConfig(tp_plan=tp_plan)}


def share_logits(model: PreTrainedModel) -> None:
    """Makes each forward() return the logits of rank 0 on all ranks; GPUs of different kinds may round differently."""
    forward = model.forward

    @wraps(forward)
    def with_logits_of_rank_0(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        output.logits = output.logits.contiguous()  # (batch, width, vocab_size)
        dist.broadcast(output.logits, src=0)
        return output

    model.forward = with_logits_of_rank_0


def number_of_ranks(model: PreTrainedModel) -> int:
    """The number of ranks that the model is spread over; 1 if it is not spread."""
    return getattr(model, "_tp_size", None) or 1


def _require_support() -> None:
    try:
        from transformers.distributed import DistributedConfig  # noqa: PLC0415  older versions do not have it

        supported = "tp_plan" in inspect.signature(DistributedConfig).parameters
    except ImportError:
        supported = False
    if not supported or not dist.is_available():
        raise UsageError(
            "--tp-plan is not possible with this transformers or this torch.",
            meaning="It needs transformers.distributed.DistributedConfig(tp_plan=...) and torch.distributed.",
            change="pip install -U transformers torch; or use --device-map auto.",
        )


def _shared_store() -> "Store":
    from torch.distributed.distributed_c10d import PrefixStore  # noqa: PLC0415  not in every build of torch
    from torch.distributed.rendezvous import rendezvous  # noqa: PLC0415

    try:
        store, _, _ = next(rendezvous("env://", timeout=_TIMEOUT))
    except (RuntimeError, ValueError) as error:
        raise _not_found(error) from error
    # torchrun keeps the store when it restarts the ranks (--max-restarts).
    return PrefixStore(f"padcheck/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def _form_group(store: "Store") -> None:
    device = None
    if torch.cuda.is_available():
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if here > torch.cuda.device_count():
            raise UsageError(
                f"{here} processes were started on this machine, and it has {torch.cuda.device_count()} GPUs.",
                change="Start one process per GPU: torchrun --nproc-per-node gpu.",
            )
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    try:
        dist.init_process_group(
            "gloo" if device is None else "nccl",
            store=store,
            rank=torchrun.rank(),
            world_size=torchrun.world_size(),
            timeout=_TIMEOUT,
            device_id=device,
        )
    except (RuntimeError, ValueError) as error:
        raise _not_found(error) from error


def _not_found(error: Exception) -> NotMeasuredError:
    return NotMeasuredError(
        f"The ranks do not find each other: {shortened(error)}",
        meaning="One of them did not start, the address or the port of rank 0 cannot be reached, or the port is taken.",
        change="Start torchrun on each node with the same --nnodes, --rdzv-endpoint and --rdzv-id.",
    )


def _meet(error: Exception | None) -> None:
    """Waits until all ranks are at the end of this step; ends this process if only some of them failed in it."""
    if _store is None:
        return
    try:
        if not _all_alike(_store, error):
            _end(ExitCode.NOT_MEASURED)
    except dist.DistError as lost:  # torchrun, which keeps the store, has ended
        _say(NotMeasuredError(f"The connection to the other ranks is lost: {shortened(lost)}"))
        _end(ExitCode.NOT_MEASURED)


def _all_alike(store: "Store", error: Exception | None) -> bool:
    """True if all ranks failed in this step, or none; otherwise the rank that failed has said why."""
    step = store.add(f"steps of {torchrun.rank()}", 1)
    posts = [f"{step}/{rank}" for rank in range(torchrun.world_size())]
    said = f"{step}/said"
    store.set(posts[torchrun.rank()], "ok" if error is None else "failed")
    all_here = _wait(store, posts, _LONGEST_STEP if error is None else _GRACE)
    if all_here and not store.check([said]) and len({store.get(each) for each in posts}) == 1:
        return True
    if store.check([said]) or (all_here and error is None):
        time.sleep(_GRACE)  # torchrun stops this rank when the one that failed ends, and names that one as the cause
    else:
        _say(_explained(error))
        store.set(said, "")
    return False


def _wait(store: "Store", keys: list[str], seconds: float) -> bool:
    """True when all keys are there, False after so many seconds. Unlike store.wait() it can be interrupted."""
    end = time.monotonic() + seconds
    while not store.check(keys):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _explained(error: Exception | None) -> PadcheckError:
    if error is None:
        return NotMeasuredError("Another rank did not answer.", meaning="It was stopped, or the network was cut.")
    if isinstance(error, PadcheckError):
        return error
    if is_out_of_memory(error):
        return memory_ran_out()
    return NotMeasuredError(
        f"{type(error).__name__}: {shortened(error)}",
        meaning="This happened on one rank and not on all, so the measurement cannot go on.",
        change="Check that all nodes have the same versions and the same files.",
    )


def _say(error: PadcheckError) -> None:
    text = "".join(each if each.isprintable() or each == "\n" else "?" for each in str(error))
    torchrun.unmute()
    sys.stderr.write(f"padcheck: Rank {torchrun.rank()}: {text}\n")
    sys.stderr.flush()


def _end(exit_code: ExitCode) -> NoReturn:
    """Ends the process at once: an exception could be caught, and torch's own cleanup may wait for the other ranks."""
    os._exit(exit_code)
