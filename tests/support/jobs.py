"""Functions that tests run in worker processes: some succeed, some crash, some wait until the test lets them go on."""

import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from padcheck.core.errors import UsageError

PATIENCE = 300
"""Seconds after which a test fails that waits for another process."""


def import_nothing() -> None:
    pass


def shout(word: str) -> str:
    sys.stdout.write(word)
    sys.stderr.write(word)
    return word.upper()


def shout_or_crash(word: str) -> str:
    if word == "crash":
        os._exit(7)
    return word.upper()


def raise_it(word: str) -> str:
    raise UsageError(f"There is no {word}.", meaning="It was never there.", change="Take another.")


def process(_word: str) -> str:
    return str(os.getpid())


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_the_first_time(file: str) -> None:
    """Kills the first process that calls it."""
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return
    die()


def hang(*_arguments: object, **_options: object) -> None:
    while True:
        signal.pause()


def shout_or_lose_worker(word: str) -> str:
    if word == "lose":
        os.kill(os.getppid(), signal.SIGKILL)
        hang()  # until it ends with its parent
    return word.upper()


@dataclass(frozen=True)
class Worker:
    """A process that waits in `wait_for_test`."""

    parent: int
    process: int
    word: str
    connection: socket.socket

    def let_go(self) -> None:
        """Lets the call end."""
        self.connection.close()

    def has_ended(self) -> bool:
        """Waits until the process has ended; raises TimeoutError if it does not."""
        try:
            return not self.connection.recv(1)
        except ConnectionResetError:
            return True


class Meeting:
    """Where calls of `wait_for_test` report to the test."""

    def __enter__(self) -> "Meeting":
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE)
        self.port = self._server.getsockname()[1]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.close()

    def worker(self) -> Worker:
        """Waits until a call has reported."""
        connection, _ = self._server.accept()
        connection.settimeout(PATIENCE)
        with connection.makefile(encoding="utf-8") as lines:
            parent, process, word = lines.readline().split()
        return Worker(int(parent), int(process), word, connection)


def wait_for_test(word: str = "-", *, port: int) -> str:
    """Reports to the `Meeting` at this port, and waits until the test lets it go on or ends."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{os.getppid()} {os.getpid()} {word}\n".encode())
        connection.recv(1)
    return str(os.getpid())


def shout_or_wait(word: str, *, port: int) -> str:
    return wait_for_test(word, port=port) if word == "wait" else shout_or_crash(word)


def has_ended(pid: int) -> bool:
    """Waits until the process has ended, even if its id is still listed; False if it does not end."""
    if not hasattr(os, "pidfd_open"):  # it is a Linux call
        return not psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=PATIENCE)[1]
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE)[0])
    finally:
        os.close(descriptor)
