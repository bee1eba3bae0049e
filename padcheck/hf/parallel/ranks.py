"""Tensor parallelism: the only place that knows of torch.distributed.

The ranks run the same measurement and must decide alike, since each takes part in every collective. What they decide on
is the logits, and those are rank 0's on all of them. Where one of them fails alone, the command ends.
"""

import inspect
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

import torch
import torch.distributed as dist
from transformers import PretrainedConfig, PreTrainedModel

from padcheck.core import torchrun
from padcheck.core.errors import NotMeasuredError, PadcheckError, UsageError, memory_ran_out
from padcheck.hf.library.exceptions import is_out_of_memory, shortened
from padcheck.hf.parallel.lifeline import Lifeline

_TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for one that is alive: to come up, or for its part of a collective."""

_GREETING_SECONDS = 10.0

_lifeline: Lifeline | None = None
"""Of this process, as torch.distributed's own group is."""


@contextmanager
def joined(*, wanted: bool) -> Iterator[None]:
    """Within the context the ranks of this command are one group; where none is wanted nothing happens.

    Raises:
        UsageError: This transformers has no tensor parallelism, or there are more processes than GPUs.
        NotMeasuredError: The ranks do not find each other.
    """
    if not wanted:
        yield
        return
    _require_support()
    global _lifeline  # noqa: PLW0603
    _start()
    try:
        _lifeline = _tied()
        try:
            with in_step():
                yield
        finally:
            _lifeline.leave()
            _lifeline = None
    finally:
        dist.destroy_process_group()


@contextmanager
def in_step() -> Iterator[None]:
    """What all ranks do in it fails on all of them or on none; else the command ends with the error of the one."""
    try:
        yield
    except Exception as error:
        _meet(error)
        raise
    _meet(None)


def tensor_parallel(config: PretrainedConfig, tp_plan: str) -> dict[str, object]:
    """The arguments of from_pretrained() that spread a model over the ranks.

    Raises:
        UsageError: The heads of the model cannot be dealt out evenly.
    """
    from transformers.distributed import DistributedConfig  # noqa: PLC0415  older versions have none

    number, text = torchrun.world_size(), config.get_text_config(decoder=True)
    for key in ("num_attention_heads", "num_key_value_heads"):
        heads = getattr(text, key, None)
        if isinstance(heads, int) and heads % number:
            raise UsageError(
                f"{heads} heads ({key}) cannot be dealt out evenly to {number} ranks.",
                meaning="Tensor parallelism gives each rank whole heads, and each as many.",
                change="Start a number of processes that divides both kinds of heads, or use --device-map auto.",
            )
    return {"distributed_config": DistributedConfig(tp_plan=tp_plan)}


def share_logits(model: PreTrainedModel) -> None:
    """Gives every rank the logits of rank 0 from each forward(): equal machines have equal ones, others need not."""
    forward = model.forward

    @wraps(forward)
    def with_logits_of_rank_0(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        output.logits = output.logits.contiguous()  # (batch, width, vocab_size)
        dist.broadcast(output.logits, src=0)
        return output

    model.forward = with_logits_of_rank_0


def number_of_ranks(model: PreTrainedModel) -> int:
    """Over how many ranks the model is spread; 1 where it is not."""
    return getattr(model, "_tp_size", None) or 1


def _require_support() -> None:
    try:
        from transformers.distributed import DistributedConfig  # noqa: PLC0415  older versions have none

        supported = "tp_plan" in inspect.signature(DistributedConfig).parameters
    except ImportError:
        supported = False
    if not supported or not dist.is_available():
        raise UsageError(
            "--tp-plan is not possible with this transformers or this torch.",
            meaning="It needs transformers.distributed.DistributedConfig(tp_plan=...), and a torch that was built with "
            "torch.distributed.",
            change="pip install -U transformers torch; or use --device-map auto.",
        )


def _start() -> None:
    device = None
    if torch.cuda.is_available():
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if here > torch.cuda.device_count():
            raise UsageError(
                f"{here} processes were started on this machine, and it has {torch.cuda.device_count()} GPUs.",
                change="Start one process a GPU: torchrun --nproc-per-node gpu.",
            )
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("gloo" if device is None else "nccl", timeout=_TIMEOUT, device_id=device)
    except (RuntimeError, ValueError) as error:
        raise NotMeasuredError(
            f"The ranks do not find each other: {shortened(error)}",
            meaning="One of them did not start, the address or the port of rank 0 cannot be reached, or the port is "
            "taken.",
            change="Start torchrun on each node with the same --nnodes, --rdzv-endpoint and --rdzv-id.",
        ) from error


def _tied() -> Lifeline:
    """Connects rank 0 with all others, at the address where they have found each other already."""
    master = os.environ["MASTER_ADDR"]
    if dist.get_rank() != 0:
        port, secret = _told_by_rank_0(None)
        connection = socket.create_connection((master, port), _TIMEOUT.total_seconds())
        connection.sendall(secret + dist.get_rank().to_bytes(4, "big"))
        connection.settimeout(None)
        return Lifeline(dist.get_rank(), {0: connection})
    secret = secrets.token_bytes(16)
    with _server(master) as server:
        _told_by_rank_0((server.getsockname()[1], secret))
        return Lifeline(0, _accepted(server, secret, dist.get_world_size() - 1))


def _told_by_rank_0(value: Any) -> Any:
    told = [value]
    dist.broadcast_object_list(told, src=0)
    return told[0]


def _server(address: str) -> socket.socket:
    family, _, _, _, place = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
    try:
        return socket.create_server(place[:2], family=family)
    except OSError:  # the name is that of a gateway
        return socket.create_server(("", 0))


def _accepted(server: socket.socket, secret: bytes, number: int) -> dict[int, socket.socket]:
    """The connections of the other ranks; what does not know the secret is none of them."""
    server.settimeout(_TIMEOUT.total_seconds())
    peers: dict[int, socket.socket] = {}
    while len(peers) < number:
        connection, _ = server.accept()
        connection.settimeout(_GREETING_SECONDS)
        try:
            greeting = connection.recv(len(secret) + 4, socket.MSG_WAITALL)
        except OSError:
            greeting = b""
        if secrets.compare_digest(greeting[: len(secret)], secret):
            connection.settimeout(None)
            peers[int.from_bytes(greeting[len(secret) :], "big")] = connection
        else:
            connection.close()
    return peers


def _meet(error: Exception | None) -> None:
    if _lifeline is not None:
        _lifeline.meet(None if error is None else _said_of(error))


def _said_of(error: Exception) -> PadcheckError:
    if isinstance(error, PadcheckError):
        return error
    if is_out_of_memory(error):
        return memory_ran_out()
    return NotMeasuredError(
        f"{type(error).__name__}: {shortened(error)}",
        meaning="It happened on this rank and not on all, so they are out of step.",
        change="Check that all nodes have the same versions and the same files.",
    )
