"""Runs a function once for each of many arguments in worker processes that may crash or hang without harm."""

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
"""Each takes about 0.7 GiB, and a survey ends soon enough."""


@dataclass(frozen=True)
class Lost:
    """A call that gave no result: its process crashed, or had to be stopped."""

    reason: str


class RunEach(Protocol):
    """What `run_each` does, wherever the processes are."""

    def __call__(
        self,
        function: Callable[[_Argument], _Result],
        arguments: Sequence[_Argument],
        *,
        prepare: Callable[[], None] | None = None,
        processes: int | None = None,
        seconds: float | None = None,
    ) -> Iterator[tuple[_Argument, _Result | Lost]]:
        """Each argument with its result, as soon as it is there."""
        ...


def run_each(
    function: Callable[[_Argument], _Result],
    arguments: Sequence[_Argument],
    *,
    prepare: Callable[[], None] | None = None,
    processes: int | None = None,
    seconds: float | None = None,
) -> Iterator[tuple[_Argument, _Result | Lost]]:
    """Each argument with its result, as soon as it is there.

    The processes stay for all arguments, and what they write to stdout and stderr is dropped.

    Args:
        function: Defined at the top of a module, where a new process finds it.
        arguments: One call each.
        prepare: Called once in each process, before any call and outside its time: what takes long to import.
        processes: How many run at a time, by default one a core; each calculates with its share of the cores.
        seconds: How long one call may take before its process is stopped; None where there is no limit.

    Raises:
        Exception: What `function` raised.
    """
    processes = min(processes or min(available_cores(), _MOST_PROCESSES), len(arguments))
    pool = start_pool(processes, threads=max(1, available_cores() // processes), prepare=prepare)
    try:
        futures = {pool.schedule(function, args=(argument,), timeout=seconds): argument for argument in arguments}
        # as_completed() is typed to forget that these are Pebble's futures.
        for future in cast("Iterator[ProcessFuture[_Result]]", as_completed(futures)):
            result = result_of(future, seconds)
            yield futures[future], result
    finally:
        # Pebble's own context would wait for what is still running, also after Ctrl-C.
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def start_pool(processes: int, *, threads: int, prepare: Callable[[], None] | None) -> ProcessPool:
    """Worker processes that calculate with so many threads each; they end with this process, however it ends."""
    return ProcessPool(
        max_workers=processes,
        context=multiprocessing.get_context("spawn"),  # a fork of a process with threads, such as torch's, may hang
        initializer=_prepare,
        initargs=(threads, prepare),
    )


def result_of(future: "ProcessFuture[_Result]", seconds: float | None) -> _Result | Lost:
    """What a call that a pool was given with this time limit came to; waits for it.

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
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepare(threads: int, prepare: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    if prepare is not None:
        prepare()


def _end_with_parent() -> None:
    """A parent that was killed stops nobody, and a hang would outlive it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
