"""Calls a function in a copy of this process, with a limit for its time and its memory.

A chat template and the parts of a tokenizer come with the model, and may run forever or take all memory.
"""

import faulthandler
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pebble import ProcessExpired, ProcessFuture, concurrent

_Result = TypeVar("_Result")

MEMORY = 2**30
"""Bytes that the function may allocate."""


class CutOffError(Exception):
    """The function took too long or too much memory, or its process crashed. The message says which."""


def call_limited(function: Callable[[], _Result], *, seconds: float) -> _Result:
    """The result of the function, which may take so many seconds and 1 GiB of memory.

    The process is forked, because that takes about 10 ms and nothing has to be pickled except the result; another
    process would have to import transformers first. The function is called directly, without limits, on systems other
    than Linux (Windows has no fork, and on macOS a forked process may crash), and in a process that may have no
    children, such as a worker of a multiprocessing.Pool.

    Raises:
        CutOffError: The function exceeded a limit, or its process crashed.
        Exception: Whatever the function raised.
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return function()
    future = _fork(function, seconds)
    try:
        return future.result()
    except futures.TimeoutError as error:  # before Python 3.11 not the built-in one
        raise CutOffError(f"it took longer than {seconds:g} seconds") from error
    except MemoryError as error:
        raise CutOffError(f"it needs more than {MEMORY // 2**20} MiB of memory") from error
    except ProcessExpired as error:  # Rust's allocator aborts the process if there is no memory
        raise CutOffError(f"it crashed, or needs more than {MEMORY // 2**20} MiB of memory") from error
    finally:
        future.cancel()  # type: ignore[no-untyped-call]  # after Ctrl-C it is still running


def _fork(function: Callable[[], _Result], seconds: float) -> ProcessFuture[_Result]:
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    # Threads do not survive a fork. If tokenizers has started some, it would print a warning about that.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and newer advise against a fork
            start: Any = concurrent.process(timeout=seconds, context=multiprocessing.get_context("fork"))  # type: ignore[call-overload]
            future: ProcessFuture[_Result] = start(_limited)(function, seconds)
            return future
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _limited(function: Callable[[], _Result], seconds: float) -> _Result:
    """Runs in the forked process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    gc.disable()  # garbage of the other process stays untouched: freeing memory of a GPU fails here
    faulthandler.disable()  # a crash is reported by the process that waits
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  until the process ends
    sys.stdout = sys.stderr = nowhere
    for stream in (1, 2):
        os.dup2(nowhere.fileno(), stream)
    resource: Any = importlib.import_module("resource")  # Unix only
    resource.setrlimit(resource.RLIMIT_CPU, _lowered(resource, resource.RLIMIT_CPU, int(seconds) + 1))
    allocated = psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, _lowered(resource, resource.RLIMIT_DATA, allocated + MEMORY))
    return function()


def _lowered(resource: Any, kind: int, limit: int) -> tuple[int, int]:
    """The soft and the hard limit to set: a limit of the user that is lower stays."""
    soft, hard = resource.getrlimit(kind)
    return (limit if soft == resource.RLIM_INFINITY else min(soft, limit)), hard
