"""Worker processes: results in the order in which they end, and no crash or hang that stops the others."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import count, islice
from threading import Thread

import jobs
import pytest

from padcheck.core.errors import UsageError
from padcheck.running import local_pool
from padcheck.running.local_pool import Lost

run_each = partial(local_pool.run_each, prepare=jobs.import_nothing)

KILLED_AT_THE_START = Lost("its process ended before the call began")


@pytest.fixture
def meeting():
    with jobs.Meeting() as meeting:
        yield meeting


def test_each_argument_gives_its_result():
    results = dict(run_each(jobs.shout, ["a", "b", "c"], processes=2))
    assert results == {"a": "A", "b": "B", "c": "C"}


def test_what_workers_print_is_dropped(capfd):
    list(run_each(jobs.shout, ["a"], processes=1))
    assert capfd.readouterr() == ("", "")


def test_a_crash_and_a_hang_do_not_stop_the_others(meeting, monkeypatch):
    words = ["one", "crash", "two", "wait", "three"]
    run = run_each(partial(jobs.shout_or_wait, port=meeting.port), words, processes=2, seconds=jobs.PATIENCE)
    crashed = Lost("its process crashed (exit code 7)")
    assert dict(islice(run, 4)) == {"one": "ONE", "crash": crashed, "two": "TWO", "three": "THREE"}
    worker = meeting.worker()
    monkeypatch.setattr(time, "time", count(time.time(), 1000).__next__)  # time flies
    assert list(run) == [("wait", Lost(f"it did not end within {jobs.PATIENCE} seconds"))]
    assert worker.has_ended()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_that_is_killed_while_it_starts_costs_only_one_call(tmp_path, processes):
    prepare = partial(jobs.die_the_first_time, str(tmp_path / "died"))
    results = dict(local_pool.run_each(jobs.shout, ["a", "b", "c"], prepare=prepare, processes=processes))
    lost = [word for word, result in results.items() if result == KILLED_AT_THE_START]
    assert len(lost) == 1
    assert results == {"a": "A", "b": "B", "c": "C"} | {lost[0]: KILLED_AT_THE_START}


def test_if_every_process_is_killed_while_it_starts_every_call_is_lost():
    run = local_pool.run_each(jobs.shout, ["a", "b"], prepare=jobs.die, processes=1)
    assert dict(run) == {"a": KILLED_AT_THE_START, "b": KILLED_AT_THE_START}


def test_a_process_that_is_killed_between_two_calls_costs_at_most_one_call():
    run = run_each(jobs.process, ["a", "b", "c"], processes=1)
    _, first = next(run)
    os.kill(int(first), signal.SIGKILL)
    second, third = dict(run).values()
    assert second == KILLED_AT_THE_START or second.isdigit()
    assert third.isdigit()
    assert first not in (second, third)


def test_a_process_that_cannot_be_started_is_a_lost_call(monkeypatch):
    def refuse(*_args):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    assert dict(run_each(jobs.shout, ["a", "b"], processes=2)) == {"a": KILLED_AT_THE_START, "b": KILLED_AT_THE_START}


def test_processes_are_reused():
    results = dict(run_each(jobs.process, [str(number) for number in range(6)], processes=2))
    assert len(set(results.values())) == 2


def test_the_time_limit_does_not_include_the_preparation(meeting, monkeypatch):
    now = time.time

    def let_an_hour_pass():
        worker = meeting.worker()
        monkeypatch.setattr(time, "time", lambda: now() + 3600)
        worker.let_go()

    thread = Thread(target=let_an_hour_pass)
    thread.start()
    prepare = partial(jobs.wait_for_test, port=meeting.port)
    results = dict(local_pool.run_each(jobs.shout, ["a"], prepare=prepare, processes=1, seconds=jobs.PATIENCE))
    thread.join()
    assert results == {"a": "A"}


def test_an_error_of_the_function_is_raised():
    with pytest.raises(UsageError) as raised:
        list(run_each(jobs.raise_it, ["a"], processes=1))
    assert (raised.value.what, raised.value.change) == ("There is no a.", "Take another.")


def test_processes_end_when_their_parent_is_killed(meeting):
    code = (
        "import jobs; from functools import partial; from padcheck.running.local_pool import run_each; "
        f"list(run_each(partial(jobs.wait_for_test, port={meeting.port}), ['a']))"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environ) as parent:
        try:
            worker = meeting.worker()
        finally:
            parent.kill()
    assert worker.has_ended()


def test_closing_the_iterator_does_not_wait_for_running_calls(meeting):
    run = run_each(partial(jobs.shout_or_wait, port=meeting.port), ["one", "wait"], processes=2)
    assert next(run) == ("one", "ONE")
    worker = meeting.worker()
    thread = Thread(target=run.close, daemon=True)
    thread.start()
    assert worker.has_ended()
    thread.join(jobs.PATIENCE)
    assert not thread.is_alive()
