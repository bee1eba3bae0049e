"""Calls a function for many arguments in worker processes. A call that crashes or hangs does not stop the others."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as CallTimeoutError  # in Python 3.10 not the built-in one
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_MOST_PROCESSES = 8
"""The default limit: each process takes about 0.7 GiB."""


@dataclass(frozen=True)
class Lost:
    """A call without a result: its process crashed or was stopped."""

    reason: str


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
    workers = [Worker(threads=max(1, available_cores() // processes), prepare=prepare) for _ in range(processes)]
    idle, waiting = deque(workers), deque(arguments)
    running: dict[Future[_Result], tuple[Worker, _Argument]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                worker, argument = idle.popleft(), waiting.popleft()
                running[worker.start(function, argument, seconds)] = worker, argument
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, argument = running.pop(future)
                idle.append(worker)
                result = result_of(future, seconds)
                yield argument, result
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


class Worker:
    """One process that makes one call at a time. It ends with this process, even if that is killed.

    A process that is lost is replaced. Only the call that it made, or would have made next, has no result.
    """

    def __init__(self, *, threads: int, prepare: Callable[[], None] | None) -> None:
        # A pool of one: Pebble gives up a pool, with all its calls, if a process is lost before it has a call.
        self._new_pool = partial(
            ProcessPool,
            max_workers=1,
            context=multiprocessing.get_context("spawn"),  # after torch has started threads, a fork may hang
            initializer=_prepare,
            initargs=(threads, prepare),
        )
        self._pool = self._new_pool()

    def start(
        self, function: Callable[[_Argument], _Result], argument: _Argument, seconds: float | None
    ) -> "Future[_Result]":
        """Starts a call. Call `result_of` with the future before the next call starts."""
        try:
            if not self._pool.active:
                self.stop()
                self.join()
                self._pool = self._new_pool()
            return self._pool.schedule(function, args=(argument,), timeout=seconds)
        except RuntimeError as error:  # the process was lost at this moment, or the machine cannot start another one
            future: Future[_Result] = Future()
            future.set_exception(BrokenProcessPool(str(error)))
            return future

    def stop(self) -> None:
        """Tells the process to end, even in the middle of a call."""
        # Pebble's own context manager would wait for running calls, also after Ctrl-C.
        self._pool.stop()  # type: ignore[no-untyped-call]

    def join(self) -> None:
        """Waits until the process has ended, after `stop`."""
        self._pool.join()


def result_of(future: "Future[_Result]", seconds: float | None) -> _Result | Lost:
    """Waits for a call, and returns its result. `seconds` is the time limit that the call was given.

    Raises:
        Exception: What the function raised.
    """
    try:
        return future.result()
    except CallTimeoutError:
        return Lost(f"it did not end within {seconds:g} seconds")
    except ProcessExpired as error:
        return Lost(f"its process crashed (exit code {error.exitcode})")
    except BrokenProcessPool:
        return Lost("its process ended before the call began")


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
