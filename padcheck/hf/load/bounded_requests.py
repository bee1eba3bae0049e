"""Limits how long huggingface_hub waits for a server that answers slowly or not."""

import importlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import huggingface_hub
from huggingface_hub import constants

from padcheck.hf.library.environ import environment_set

_LEAST = 1024
"""Bytes that a server has to send in each HF_HUB_DOWNLOAD_TIMEOUT; a slow modem sends more."""


@contextmanager
def bounded_requests() -> Iterator[None]:
    """Within the context, every request has a time limit, and weights are not converted by a third party.

    huggingface_hub 1.0 and newer requests a model's metadata without a time limit: if a server accepts the connection
    and never answers, padcheck would wait until Ctrl-C. Such requests get HF_HUB_DOWNLOAD_TIMEOUT (seconds). That is
    the limit for each read, so a server that sends a byte a second would never exceed it: a body has to arrive at 1 KiB
    in that time. If a repository has no safetensors, transformers asks an online service to convert its weights; that
    is switched off.
    """
    with environment_set(DISABLE_SAFETENSORS_CONVERSION="1"):
        client: Any = huggingface_hub.get_session()
        if hasattr(client, "event_hooks"):  # httpx, since huggingface_hub 1.0
            name, hooks = "event_hooks", {"request": _bound_each_read, "response": _bound_httpx_body}
        else:  # requests, which huggingface_hub gives a limit for each read
            name, hooks = "hooks", {"response": _bound_requests_body}
        before = getattr(client, name)
        setattr(client, name, before | {event: [*before[event], hook] for event, hook in hooks.items()})
        try:
            yield
        finally:
            setattr(client, name, before)


def _bound_each_read(request: Any) -> None:
    limits = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = {
        kind: limits.get(kind) or float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        for kind in ("connect", "read", "write", "pool")
    }


def _bound_httpx_body(response: Any) -> None:
    stream = response.stream
    httpx: Any = importlib.import_module(type(response).__module__.partition(".")[0])  # httpx2 in newer versions

    class BoundedStream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return _in_time(stream)

        def close(self) -> None:
            stream.close()

    response.stream = BoundedStream()


def _bound_requests_body(response: Any, **_: Any) -> None:
    body = response.raw

    def stream(amt: int, decode_content: bool | None = None) -> Iterator[bytes]:
        # urllib3's own stream() waits until `amt` bytes are there: 10 MB for a file. read1() returns what has arrived.
        return _in_time(iter(partial(body.read1, amt, decode_content), b""))

    if hasattr(body, "read1"):  # urllib3 2.1 and newer
        body.stream = stream


def _in_time(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks.

    Raises:
        TimeoutError: They arrive too slowly. huggingface_hub does not retry after that error.
    """
    started, received = time.monotonic(), 0
    for chunk in chunks:
        received += len(chunk)
        waited = time.monotonic() - started
        if received >= _LEAST:
            started, received = time.monotonic(), 0
        elif waited > constants.HF_HUB_DOWNLOAD_TIMEOUT:
            raise TimeoutError(f"the server sent {received} bytes in {waited:.0f} seconds")
        yield chunk
