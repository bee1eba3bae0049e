"""Functions that tests run in worker processes: some succeed, some crash, some hang."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from padcheck.core.errors import UsageError


def import_nothing() -> None:
    pass


def import_slowly() -> None:
    time.sleep(2)


def shout(word: str) -> str:
    sys.stdout.write(word)
    sys.stderr.write(word)
    return word.upper()


def survive_only_words(word: str) -> str:
    if word == "crash":
        os._exit(7)
    if word == "hang":
        time.sleep(3600)
    return word.upper()


def raise_it(word: str) -> str:
    raise UsageError(f"There is no {word}.", meaning="It was never there.", change="Take another.")


def process(_word: str) -> str:
    time.sleep(0.2)  # so that each process gets some of the calls
    return str(os.getpid())


def lose_worker(word: str) -> str:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(3600)
    return word


class Worker(NamedTuple):
    """The process that runs a call, and its parent, which waits for it."""

    parent: int
    process: int


def worker_of(file: str) -> Worker:
    """The worker that runs `wait_for_file`; waits until it does."""
    path = Path(file + ".worker")
    while not (path.exists() and path.read_text(encoding="utf-8").endswith("\n")):
        time.sleep(0.05)
    return Worker(*map(int, path.read_text(encoding="utf-8").split()))


def has_ended(pid: int) -> bool:
    """True as soon as the process has ended, even if its id is still listed; False after a minute."""
    for _ in range(600):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def wait_for_file(file: str) -> str:
    """Waits until the file exists. Until then, `worker_of` finds the process to kill."""
    Path(file + ".worker").write_text(f"{os.getppid()} {os.getpid()}\n", encoding="utf-8")
    while not Path(file).exists():
        time.sleep(0.05)
    return str(os.getpid())


def lose_worker_or_shout(word: str) -> str:
    return lose_worker(word) if word == "lose" else word.upper()


def shout_or_wait(word: str, file: str) -> str:
    return wait_for_file(file) if word == "wait" else word.upper()
