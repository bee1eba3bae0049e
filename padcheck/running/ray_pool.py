"""Calls a function for many arguments on a Ray cluster, like `padcheck.running.local_pool` does on one machine.

This is the only module that imports Ray. Each call is a Ray task. The task makes the call in another process, so Ray's
worker survives a crash or a hang of the call. Such a call is not repeated, and its error is the same as without Ray. If
Ray's worker itself is lost, the task is sent again.
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

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.version import __version__
from padcheck.running.local_pool import Lost, Worker, result_of

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_ATTEMPTS = 3
"""How often a call is sent at most: a call that fills the memory loses each of its workers."""

_PATIENCE = 300.0
"""Seconds without a result, after which calls are given up if the cluster has no CPU or GPU for them."""

_ANSWER = 10.0
"""Seconds in which the address must answer. Ray itself would try for minutes."""

_STORE = 80 * 2**20
"""Bytes of object memory for a Ray that is started here, close to Ray's minimum: reports are small."""


@dataclass(frozen=True)
class _Call(Generic[_Argument]):
    argument: _Argument
    gpus: int
    attempts: int = _ATTEMPTS


class _WorkerLost(Lost):
    """Probably not caused by the call, so it is sent again."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster.

    Attributes:
        address: auto, local (a cluster that is started for this command), HOST:PORT or ray://HOST:PORT.
        device_of: Returns the device that an argument asks for; None if it asks for none.

    Raises:
        UsageError: Ray is not installed, or the address is invalid.
    """

    address: str
    device_of: Callable[[Any], str | None]

    def __post_init__(self) -> None:
        _host_and_port(self.address)
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
        """The same as `local_pool.run_each`. `processes` is how many tasks are sent at a time; by default all.

        A task takes one CPU. It also takes a GPU if its device is cuda, or if it names no device and the cluster has
        a GPU.

        Raises:
            NotMeasuredError: The cluster cannot be reached.
            Exception: What `function` raised.
        """
        with _connected(self.address) as ray:
            resources = ray.cluster_resources()
            waiting = deque(_Call(argument, self._gpus(argument, resources)) for argument in arguments)
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

    def _gpus(self, argument: object, resources: Mapping[str, float]) -> int:
        device = self.device_of(argument)
        return int(resources.get("GPU", 0) >= 1) if device is None else int(device.startswith("cuda"))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """The module `ray`, connected to the cluster. Its messages on stdout, such as lost workers, are dropped."""
    ray, host_and_port = _ray(), _host_and_port(address)
    options = {"include_dashboard": False, "object_store_memory": _STORE} if address == "local" else {}
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            if host_and_port is not None:
                socket.create_connection(host_and_port, timeout=_ANSWER).close()
            ray.init(address, log_to_driver=False, configure_logging=False, **options)
        except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
            raise NotMeasuredError(
                f"The Ray cluster {address} cannot be reached: {_first_line(error)}.",
                meaning="It is not running, the address is wrong, it has another version of Ray or Python, or it needs "
                "a token.",
                change="Start one with `ray start --head`, check the address, set RAY_AUTH_MODE=token if it needs a "
                "token, or leave out --ray.",
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # Ray would try 20 times, for 40 seconds each
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--ray needs Ray, which is not installed.", change="Run: pip install 'padcheck[ray]', or leave out --ray."
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


def _host_and_port(address: str) -> tuple[str, int] | None:
    """None if Ray finds the cluster itself."""
    if address in ("auto", "local"):
        return None
    try:
        parts = urlsplit(address if address.startswith("ray://") else f"//{address}")
        if parts.hostname and parts.port and not parts.path:
            return parts.hostname, parts.port
    except ValueError:  # the port is not a number
        pass
    raise UsageError(
        f"--ray {address} is not an address of a Ray cluster.", change="Use auto, local, HOST:PORT or ray://HOST:PORT."
    )


def _sender(
    ray: Any, function: Callable[[_Argument], _Result], prepare: Callable[[], None] | None, seconds: float | None
) -> Callable[[_Call[_Argument]], Any]:
    # Ray sends the code of an inner function. So a machine without padcheck runs it too, and raises ImportError.
    def call_there(call: bytes, versions: dict[str, str], folder: str) -> Any:
        from padcheck.running.ray_pool import call_here

        return call_here(call, versions, folder)

    # max_retries=0: if memory runs out, Ray itself would retry without a limit. max_calls: a worker with a GPU makes
    # only one call (0 is no limit). A second call might get another GPU, while the process of the first one still holds
    # memory on the old GPU.
    remote = {gpus: ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0, max_calls=gpus)(call_there) for gpus in (0, 1)}

    def send(call: _Call[_Argument]) -> Any:
        pickled = pickle.dumps((function, call.argument, prepare, seconds))
        return remote[call.gpus].remote(pickled, _versions(), str(Path.cwd()))

    return send


def call_here(call: bytes, versions: dict[str, str], folder: str) -> Any:
    """Makes the call, in a process of the worker's machine. Ray's worker runs this; later calls reuse the process.

    Args:
        call: The pickled function, its argument, `prepare` of `run_each`, and the time limit in seconds.
        versions: The versions on the machine that runs the command, by package.
        folder: The working directory, if this machine has it.

    Raises:
        ImportError: The versions on this machine differ.
        Exception: What the function raised.
    """
    here = _versions()
    others = [f"{name} {here[name]} and not {wanted}" for name, wanted in versions.items() if here[name] != wanted]
    if others:
        raise ImportError(f"{socket.gethostname()} has {', '.join(others)}")
    if Path(folder).is_dir():
        os.chdir(folder)
    function, argument, prepare, seconds = pickle.loads(call)  # noqa: S301  Ray runs any code that it is sent
    return result_of(_worker(prepare).start(function, argument, seconds), seconds)


@cache
def _worker(prepare: Callable[[], None] | None) -> Worker:
    return Worker(threads=1, prepare=prepare)


def _versions() -> dict[str, str]:
    """The versions of the packages that a report depends on, without the build of torch, such as +cpu."""
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
    """The calls that would wait forever."""
    resources = ray.cluster_resources()
    cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
    reason = Lost("the Ray cluster has no GPU, or no CPU, to run it")
    return [(task, reason) for task, call in running.items() if cpus < 1 or gpus < call.gpus]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
