"""Limits how long huggingface_hub waits for a server that answers slowly or not."""

import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import huggingface_hub
from huggingface_hub import constants

_LEAST = 1024
"""Bytes that a server has to send in each HF_HUB_DOWNLOAD_TIMEOUT; a slow modem sends more."""


@contextmanager
def bounded_requests() -> Iterator[None]:
    """Within the context, every request has a time limit, and weights are not converted by a third party.

    huggingface_hub 1.0 and newer requests a model's metadata without a time limit: if a server accepts the connection
    and never answers, padcheck would wait until Ctrl-C. Such requests get HF_HUB_DOWNLOAD_TIMEOUT (seconds). That is
    the limit for each read, so a server that sends a byte a second would never exceed it: a body has to arrive at 1 KiB
    in that time. Older clients set their own limits. If a repository has no safetensors, transformers asks an online
    service to convert its weights; that is switched off.
    """
    with _environment(DISABLE_SAFETENSORS_CONVERSION="1"):
        client: Any = huggingface_hub.get_session()
        before = getattr(client, "event_hooks", None)
        if before is None:
            yield
            return
        client.event_hooks = {
            "request": [*before["request"], _bound_each_read],
            "response": [*before["response"], _bound_body],
        }
        try:
            yield
        finally:
            client.event_hooks = before


def _bound_each_read(request: Any) -> None:
    limits = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = {
        kind: limits.get(kind) or float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        for kind in ("connect", "read", "write", "pool")
    }


def _bound_body(response: Any) -> None:
    """Makes the stream of a response raise a TimeoutError if it is too slow; huggingface_hub does not retry that."""
    stream = response.stream
    httpx: Any = importlib.import_module(type(response).__module__.partition(".")[0])  # httpx2 in newer versions

    class BoundedStream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            started, received = time.monotonic(), 0
            for chunk in stream:
                received += len(chunk)
                waited = time.monotonic() - started
                if received >= _LEAST:
                    started, received = time.monotonic(), 0
                elif waited > constants.HF_HUB_DOWNLOAD_TIMEOUT:
                    raise TimeoutError(f"the server sent {received} bytes in {waited:.0f} seconds")
                yield chunk

        def close(self) -> None:
            stream.close()

    response.stream = BoundedStream()


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
