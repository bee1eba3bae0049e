"""Calls a function for many arguments in worker processes. A call that crashes or hangs does not stop the others."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from threading import Thread
from typing import Protocol, TypeVar, cast

from pebble import ProcessExpired, ProcessFuture, ProcessPool

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_MOST_PROCESSES = 8
"""The default limit: each process takes about 0.7 GiB."""


@dataclass(frozen=True)
class Lost:
    """A call without a result: its process crashed or was stopped."""

    reason: str


class RunEach(Protocol):
    """The signature of `run_each`, here and on a Ray cluster."""

    def __call__(
        self,
        function: Callable[[_Argument], _Result],
        arguments: Sequence[_Argument],
        *,
        prepare: Callable[[], None] | None = None,
        processes: int | None = None,
        seconds: float | None = None,
    ) -> Iterator[tuple[_Argument, _Result | Lost]]:
        """Each argument with its result, in the order in which the calls end."""
        ...


def run_each(
    function: Callable[[_Argument], _Result],
    arguments: Sequence[_Argument],
    *,
    prepare: Callable[[], None] | None = None,
    processes: int | None = None,
    seconds: float | None = None,
) -> Iterator[tuple[_Argument, _Result | Lost]]:
    """Each argument with its result, in the order in which the calls end.

    The processes are reused for all arguments. What they write to stdout and stderr is dropped.

    Args:
        function: A function at the top level of a module, so that a new process can import it.
        arguments: One call each.
        prepare: Called once in each process before its first call, for slow imports. Its time does not count.
        processes: How many run at a time; by default one per core, up to 8. They share the cores equally.
        seconds: The time limit of one call, after which its process is stopped; None for no limit.

    Raises:
        Exception: What `function` raised.
    """
    processes = min(processes or min(available_cores(), _MOST_PROCESSES), len(arguments))
    pool = start_pool(processes, threads=max(1, available_cores() // processes), prepare=prepare)
    try:
        futures = {pool.schedule(function, args=(argument,), timeout=seconds): argument for argument in arguments}
        # The type of as_completed() does not keep the class of the futures.
        for future in cast("Iterator[ProcessFuture[_Result]]", as_completed(futures)):
            result = result_of(future, seconds)
            yield futures[future], result
    finally:
        # Pebble's own context manager would wait for running calls, also after Ctrl-C.
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def start_pool(processes: int, *, threads: int, prepare: Callable[[], None] | None) -> ProcessPool:
    """Worker processes with this number of threads each. They end with this process, even if it is killed."""
    return ProcessPool(
        max_workers=processes,
        context=multiprocessing.get_context("spawn"),  # after torch has started threads, a fork may hang
        initializer=_prepare,
        initargs=(threads, prepare),
    )


def result_of(future: "ProcessFuture[_Result]", seconds: float | None) -> _Result | Lost:
    """Waits for a call, and returns its result. `seconds` is the time limit that the pool was given.

    Raises:
        Exception: What the function raised.
    """
    try:
        return future.result()
    except TimeoutError:
        return Lost(f"it did not end within {seconds:g} seconds")
    except ProcessExpired as error:
        return Lost(f"its process crashed (exit code {error.exitcode})")


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepare(threads: int, prepare: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    if prepare is not None:
        prepare()


def _end_with_parent() -> None:
    """Ends this process when its parent ends. A parent that was killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
