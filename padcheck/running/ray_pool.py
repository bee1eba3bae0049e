"""The same as `padcheck.running.local_pool`, on a Ray cluster: one task a call, sent again where its worker is lost.

The only module that imports Ray. A task makes the call in a process beside Ray's worker, as a run without Ray does. So
a crash and a hang are the call's own: they are told in the same words, not tried again, and Ray's worker outlives them.
"""

import logging
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from pebble import ProcessPool

from padcheck import __version__
from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.running.local_pool import Lost, result_of, start_pool

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_ATTEMPTS = 3
"""How often a call is sent: what fills a machine's memory loses every worker that it gets."""

_PATIENCE = 300.0
"""Seconds without any result, after which a call is given up for which the cluster has no GPU or CPU at all."""

_ANSWER = 10.0
"""Seconds in which the address must answer; Ray itself would try for minutes."""

_STORE = 80 * 2**20
"""Bytes for the objects of a Ray that is started here, close to the least that it takes: reports are small."""


@dataclass(frozen=True)
class _Call(Generic[_Argument]):
    argument: _Argument
    gpus: int
    attempts: int = _ATTEMPTS


class _WorkerLost(Lost):
    """Not the call's own doing, as far as can be told: worth another attempt."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, by its address: auto, local (one that is started here), HOST:PORT or ray://HOST:PORT.

    `device_of` says which device an argument asks for; None where it is left open.

    Raises:
        UsageError: Ray is not installed, or this is no address.
    """

    address: str
    device_of: Callable[[Any], str | None]

    def __post_init__(self) -> None:
        _place(self.address)
        _ray()

    def run_each(
        self,
        function: Callable[[_Argument], _Result],
        arguments: Sequence[_Argument],
        *,
        prepare: Callable[[], None] | None = None,
        processes: int | None = None,
        seconds: float | None = None,
    ) -> Iterator[tuple[_Argument, _Result | Lost]]:
        """The same as `local_pool.run_each`; `processes` is how many tasks the cluster is given at a time.

        A task takes a CPU, and a GPU where its device is cuda, or is left open and the cluster has one.

        Raises:
            NotMeasuredError: The cluster cannot be reached.
            Exception: What `function` raised.
        """
        with _connected(self.address) as ray:
            there = ray.cluster_resources()
            waiting = deque(_Call(argument, self._gpus(argument, there)) for argument in arguments)
            running: dict[Any, _Call[_Argument]] = {}
            send = _sender(ray, function, prepare, seconds)
            try:
                while waiting or running:
                    while waiting and len(running) < (processes or len(arguments)):
                        call = waiting.popleft()
                        running[send(call)] = call
                    tasks, _ = ray.wait(list(running), timeout=_PATIENCE)
                    results = [(task, _result(ray, task)) for task in tasks] or _stranded(ray, running)
                    for task, result in results:
                        call = running.pop(task)
                        if isinstance(result, _WorkerLost) and call.attempts > 1:
                            waiting.append(replace(call, attempts=call.attempts - 1))
                        else:
                            yield call.argument, result
            finally:
                for task in running:
                    ray.cancel(task, force=True)

    def _gpus(self, argument: object, there: Mapping[str, float]) -> int:
        device = self.device_of(argument)
        return int(there.get("GPU", 0) >= 1) if device is None else int(device.startswith("cuda"))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray itself, connected; what it writes to stdout, such as what became of a worker, is dropped."""
    ray, place = _ray(), _place(address)
    options = {"include_dashboard": False, "object_store_memory": _STORE} if address == "local" else {}
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            if place is not None:
                socket.create_connection(place, timeout=_ANSWER).close()
            ray.init(address, log_to_driver=False, configure_logging=False, **options)
        except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
            raise NotMeasuredError(
                f"The Ray cluster {address} cannot be reached: {_first_line(error)}.",
                meaning="It does not run, or elsewhere, or with another version of Ray or Python, or wants a token.",
                change="Start one with `ray start --head`, check the address, set RAY_AUTH_MODE=token where it wants "
                "a token, or leave out --ray.",
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # each of its 20 takes 40 seconds
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--ray needs Ray, which is not installed.", change="Run: pip install 'padcheck[ray]', or leave out --ray."
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


def _place(address: str) -> tuple[str, int] | None:
    """Host and port; None where Ray looks for them itself."""
    if address in ("auto", "local"):
        return None
    try:
        parts = urlsplit(address if address.startswith("ray://") else f"//{address}")
        if parts.hostname and parts.port and not parts.path:
            return parts.hostname, parts.port
    except ValueError:  # a port that is none
        pass
    raise UsageError(
        f"--ray {address} is no address of a Ray cluster.", change="Use auto, local, HOST:PORT or ray://HOST:PORT."
    )


def _sender(
    ray: Any, function: Callable[[_Argument], _Result], prepare: Callable[[], None] | None, seconds: float | None
) -> Callable[[_Call[_Argument]], Any]:
    # Ray sends a function inside a function as code, so that it can also run, and fail, where padcheck is missing.
    def call_there(call: bytes, versions: dict[str, str], folder: str) -> Any:
        from padcheck.running.ray_pool import call_here

        return call_here(call, versions, folder)

    # Ray's own attempts have no limit where memory runs out. A worker that had a GPU makes one call (0 is no limit):
    # a second one may be given another GPU, and the process of the first would keep the memory of the old one.
    remote = {gpus: ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0, max_calls=gpus)(call_there) for gpus in (0, 1)}

    def send(call: _Call[_Argument]) -> Any:
        pickled = pickle.dumps((function, call.argument, prepare, seconds))
        return remote[call.gpus].remote(pickled, _versions(), str(Path.cwd()))

    return send


def call_here(call: bytes, versions: dict[str, str], folder: str) -> Any:
    """Runs in Ray's worker: makes the call in a process that stays for the next one.

    Args:
        call: The pickled function, its argument, what prepares a process, and the limit in seconds.
        versions: Those of whoever asks, by package.
        folder: Where relative paths start, if this machine has it.

    Raises:
        ImportError: The versions here are others.
        Exception: What the function raised.
    """
    here = _versions()
    others = [f"{name} {here[name]} and not {wanted}" for name, wanted in versions.items() if here[name] != wanted]
    if others:
        raise ImportError(f"{socket.gethostname()} has {', '.join(others)}")
    if Path(folder).is_dir():
        os.chdir(folder)
    function, argument, prepare, seconds = pickle.loads(call)  # noqa: S301  whoever may send tasks may run code
    return result_of(_pool(prepare).schedule(function, args=(argument,), timeout=seconds), seconds)


@cache
def _pool(prepare: Callable[[], None] | None) -> ProcessPool:
    return start_pool(1, threads=1, prepare=prepare)


def _versions() -> dict[str, str]:
    """What a report depends on; a build of torch for another device is the same torch."""
    packages = ("transformers", "tokenizers", "torch")
    return {"padcheck": __version__} | {name: version(name).partition("+")[0] for name in packages}


def _result(ray: Any, task: Any) -> Any:
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ImportError):
            return Lost(f"a worker of the Ray cluster cannot run it: {error.cause}")
        raise error.cause from None
    except ray.exceptions.RayError as error:
        return _WorkerLost(f"{_ATTEMPTS} workers of the Ray cluster were lost with it: {_first_line(error)}")


def _stranded(ray: Any, running: Mapping[Any, _Call[Any]]) -> list[tuple[Any, Lost]]:
    """What would wait for ever."""
    there = ray.cluster_resources()
    cpus, gpus = there.get("CPU", 0), there.get("GPU", 0)
    reason = Lost("the Ray cluster has no GPU, or no CPU, to run it")
    return [(task, reason) for task, call in running.items() if cpus < 1 or gpus < call.gpus]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
