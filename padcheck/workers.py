"""Runs a function once for each of many arguments in worker processes that may crash or hang without harm."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import TypeVar, cast

from pebble import ProcessExpired, ProcessFuture, ProcessPool

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Lost:
    """A call that gave no result: its process crashed, or had to be stopped."""

    reason: str


def run_each(
    function: Callable[[str], _Result],
    arguments: Sequence[str],
    *,
    prepare: Callable[[], None],
    processes: int,
    seconds: float,
) -> Iterator[tuple[str, _Result | Lost]]:
    """Each argument with its result, as soon as it is there.

    The processes stay for all arguments, and what they write to stdout and stderr is dropped.

    Args:
        function: Defined at the top of a module, where a new process finds it.
        arguments: One call each.
        prepare: Called once in each process, before any call and outside its time: what takes long to import.
        processes: How many run at a time; each calculates with its share of the cores.
        seconds: How long one call may take before its process is stopped.

    Raises:
        Exception: What `function` raised.
    """
    pool = ProcessPool(
        max_workers=processes,
        context=multiprocessing.get_context("spawn"),  # a fork of a process with threads, such as torch's, may hang
        initializer=_prepare,
        initargs=(max(1, available_cores() // processes), prepare),
    )
    try:
        futures = {pool.schedule(function, args=(argument,), timeout=seconds): argument for argument in arguments}
        # as_completed() is typed to forget that these are Pebble's futures.
        for future in cast("Iterator[ProcessFuture[_Result]]", as_completed(futures)):
            result = _result(future, seconds)
            yield futures[future], result
    finally:
        # Pebble's own context would wait for what is still running, also after Ctrl-C.
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _result(future: "ProcessFuture[_Result]", seconds: float) -> _Result | Lost:
    try:
        return future.result()
    except TimeoutError:
        return Lost(f"it did not end within {seconds:g} seconds")
    except ProcessExpired as error:
        return Lost(f"its process crashed (exit code {error.exitcode})")


def _prepare(num_threads: int, prepare: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    prepare()
