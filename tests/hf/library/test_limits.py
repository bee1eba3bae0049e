"""A function in a copy of this process: its result comes back, and it is stopped at its limits."""

import multiprocessing
import os
import sys

import pytest

from padcheck.core.errors import UsageError
from padcheck.hf.library import limits
from padcheck.hf.library.limits import CutOffError, call_limited

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is limited on other systems than Linux")
LONG = 60


def never_end() -> None:
    while True:
        pass


def take_all_memory() -> list[str]:
    return ["x" * 10**8 for _ in range(10**6)]


def test_the_result_comes_from_another_process():
    assert call_limited(os.getpid, seconds=LONG) != os.getpid()


def test_an_exception_comes_back_whole():
    def refuse() -> None:
        raise UsageError("what", meaning="meaning", change="change")

    with pytest.raises(UsageError) as raised:
        call_limited(refuse, seconds=LONG)
    assert (raised.value.what, raised.value.meaning, raised.value.change) == ("what", "meaning", "change")


def test_a_function_that_never_ends_is_stopped():
    with pytest.raises(CutOffError, match="took longer than"):
        call_limited(never_end, seconds=0.1)
    assert not multiprocessing.active_children()


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux enforces a limit for memory")
def test_a_function_that_takes_all_memory_is_stopped():
    with pytest.raises(CutOffError, match="more than 1024 MiB"):
        call_limited(take_all_memory, seconds=LONG)


def test_a_crash_stays_in_its_process():
    with pytest.raises(CutOffError, match="crashed"):
        call_limited(lambda: os._exit(1), seconds=LONG)


def test_what_the_function_prints_is_dropped(capfd):
    call_limited(lambda: os.write(1, b"noise") and os.write(2, b"noise"), seconds=LONG)
    assert capfd.readouterr() == ("", "")


def test_the_environment_is_the_same_afterwards(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    assert call_limited(lambda: os.environ["TOKENIZERS_PARALLELISM"], seconds=LONG) == "false"
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
    monkeypatch.delenv("TOKENIZERS_PARALLELISM")
    call_limited(int, seconds=LONG)
    assert "TOKENIZERS_PARALLELISM" not in os.environ


def test_on_other_systems_the_function_is_called_in_this_process(monkeypatch):
    monkeypatch.setattr(limits.sys, "platform", "darwin")
    assert call_limited(os.getpid, seconds=LONG) == os.getpid()
