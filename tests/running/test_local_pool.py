"""Worker processes: results in the order in which they end, and no crash or hang that stops the others."""

import os
import subprocess
import sys
import time
from functools import partial

import jobs
import pytest

from padcheck.core.errors import UsageError
from padcheck.running import local_pool
from padcheck.running.local_pool import Lost

run_each = partial(local_pool.run_each, prepare=jobs.import_nothing)


def test_each_argument_gives_its_result():
    results = dict(run_each(jobs.shout, ["a", "b", "c"], processes=2, seconds=60))
    assert results == {"a": "A", "b": "B", "c": "C"}


def test_what_workers_print_is_dropped(capfd):
    list(run_each(jobs.shout, ["a"], processes=1, seconds=60))
    assert capfd.readouterr() == ("", "")


def test_a_crash_and_a_hang_do_not_stop_the_others():
    words = ["one", "crash", "two", "hang", "three"]
    results = dict(run_each(jobs.survive_only_words, words, processes=2, seconds=3))
    assert {word: results[word] for word in ("one", "two", "three")} == {"one": "ONE", "two": "TWO", "three": "THREE"}
    assert results["crash"] == Lost("its process crashed (exit code 7)")
    assert results["hang"] == Lost("it did not end within 3 seconds")


def test_processes_are_reused():
    results = dict(run_each(jobs.process, [str(number) for number in range(6)], processes=2, seconds=60))
    assert len(set(results.values())) == 2


def test_the_time_limit_does_not_include_the_preparation():
    run = local_pool.run_each(jobs.shout, ["a"], prepare=jobs.import_slowly, processes=1, seconds=1)
    assert dict(run) == {"a": "A"}


def test_an_error_of_the_function_is_raised():
    with pytest.raises(UsageError) as raised:
        list(run_each(jobs.raise_it, ["a"], processes=1, seconds=60))
    assert (raised.value.what, raised.value.change) == ("There is no a.", "Take another.")


def test_processes_end_when_their_parent_is_killed(tmp_path):
    file = str(tmp_path / "never")
    code = (
        f"import jobs; from padcheck.running.local_pool import run_each; list(run_each(jobs.wait_for_file, [{file!r}]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    worker = jobs.worker_of(file)
    parent.kill()
    parent.wait()
    assert jobs.has_ended(worker.process)


def test_closing_the_iterator_does_not_wait_for_running_calls():
    started = time.monotonic()
    run = run_each(jobs.survive_only_words, ["one", "hang"], processes=2, seconds=3600)
    next(run)
    run.close()
    assert time.monotonic() - started < 60  # and not for an hour
