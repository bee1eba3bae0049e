"""The pool on a real Ray cluster of two workers: the same report as without Ray, and workers that are killed."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import jobs
import psutil
import pytest
from conftest import ROOT

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.running import local_pool, ray_pool
from padcheck.running.local_pool import Lost
from padcheck.running.ray_pool import Cluster

REASON = "Ray is not installed: pip install 'padcheck[ray]'"

pytestmark = pytest.mark.xdist_group("ray")  # pytest-xdist runs all of these tests in one process


@contextmanager
def started_ray(**resources):
    """Starts a Ray cluster, and stops it afterwards. Yields its address."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason=REASON)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        # Ray's processes need the import path of this process. The path of a socket must be short.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests"), *filter(None, sys.path)]))
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # by default, anything else on the machine comes before Ray's workers
        options = {"include_dashboard": False, "object_store_memory": ray_pool._STORE}
        ray = cluster_utils.Cluster(initialize_head=True, head_node_args=resources | options)
        try:
            yield ray.address
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def address():
    with started_ray(num_cpus=2) as address:
        yield address


@pytest.fixture
def run_each(address):
    return Cluster(address, lambda _argument: None).run_each


def without_seconds(document):
    """The document without the times, which differ between two runs."""
    if isinstance(document, dict):
        return {key: without_seconds(value) for key, value in document.items() if key != "seconds"}
    return [without_seconds(each) for each in document] if isinstance(document, list) else document


@pytest.mark.parametrize(
    "command",
    [
        ("check", "./not-there", "./mine", "llama", "--tiny", "--max-new-tokens", 2, "--fail-on", "warning"),
        ("survey", "llama", "musicgen", "--jobs", 1),
    ],
)
def test_the_report_is_the_same_as_without_ray(padcheck, address, tmp_path, monkeypatch, command):
    from padcheck.demo import MODEL_FOLDER

    # Rounding depends on the number of threads, and a Ray task has one.
    monkeypatch.setattr(local_pool, "available_cores", lambda: 1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").symlink_to(MODEL_FOLDER)
    here = padcheck(*command, "--format", "json")
    there = padcheck(*command, "--ray", address, "--format", "json")
    # A line appears when a model is done, in any order.
    assert sorted(there.stderr.splitlines()) == sorted(here.stderr.splitlines())
    assert there.exit_code == here.exit_code
    assert without_seconds(there.report) == without_seconds(here.report)
    assert here.exit_code == 3


def test_a_task_whose_worker_is_killed_is_sent_again(run_each):
    """The worker is killed during its task, while the other one goes on."""
    with jobs.Meeting() as meeting, ThreadPoolExecutor(1) as executor:

        def kill():
            killed = meeting.worker()
            os.kill(killed.parent, signal.SIGKILL)
            for _ in range(2):  # the other task, and this one again
                meeting.worker().let_go()
            return killed

        killing = executor.submit(kill)
        results = dict(run_each(partial(jobs.wait_for_test, port=meeting.port), ["one", "two"]))
        killed = killing.result()
    assert all(result.isdigit() for result in results.values())
    assert int(results[killed.word]) != killed.process


def test_a_call_that_loses_every_worker_is_given_up_and_the_others_go_on(run_each, capfd):
    results = dict(run_each(jobs.shout_or_lose_worker, ["one", "lose", "two"]))
    assert (results["one"], results["two"]) == ("ONE", "TWO")
    assert "3 workers of the Ray cluster were lost with it: The worker died unexpectedly" in results["lose"].reason
    assert capfd.readouterr().out == ""  # Ray would write about lost workers here


def test_a_crash_and_a_hang_have_the_same_error_as_without_ray_and_are_not_repeated(run_each):
    # Only the hang has a time limit: it is too slow on any machine, and nothing else is.
    for seconds, words in ((0.1, ["wait"]), (None, ["one", "crash", "two", "three"])):
        with jobs.Meeting() as meeting:
            call = partial(jobs.shout_or_wait, port=meeting.port)
            here = dict(local_pool.run_each(call, words, processes=2, seconds=seconds))
            assert dict(run_each(call, words, seconds=seconds)) == here


def test_a_process_that_is_killed_while_it_starts_costs_only_one_call(run_each, tmp_path):
    prepare = partial(jobs.die_the_first_time, str(tmp_path / "died"))
    results = dict(run_each(jobs.shout, ["a", "b", "c"], prepare=prepare, processes=1))
    assert results == {"a": Lost("its process ended before the call began"), "b": "B", "c": "C"}


def test_results_come_one_by_one_and_closing_the_iterator_ends_running_tasks(run_each):
    with jobs.Meeting() as meeting:
        run = run_each(partial(jobs.shout_or_wait, port=meeting.port), ["one", "wait"])
        assert next(run) == ("one", "ONE")
        worker = meeting.worker()
        run.close()
        assert worker.has_ended()
        assert jobs.has_ended(worker.parent)


def test_no_more_tasks_are_sent_than_asked_for(run_each, monkeypatch):
    import ray

    numbers = set()

    def wait(tasks, **options):
        numbers.add(len(tasks))
        return ray_wait(tasks, **options)

    ray_wait = ray.wait
    monkeypatch.setattr(ray, "wait", wait)
    for processes in (1, 3):
        list(run_each(jobs.shout, ["a", "b", "c", "d"], processes=processes))
        assert max(numbers) == processes


def test_an_error_of_the_function_is_raised(run_each):
    with pytest.raises(UsageError) as raised:
        list(run_each(jobs.raise_it, ["a"]))
    assert (raised.value.what, raised.value.change) == ("There is no a.", "Take another.")


def test_a_worker_with_other_versions_refuses(run_each, monkeypatch):
    monkeypatch.setattr(ray_pool, "_versions", lambda: {"padcheck": "0.0.1", "transformers": "1.0"})
    [(_, lost)] = run_each(jobs.shout, ["a"])
    assert "and not 0.0.1, transformers" in lost.reason
    assert socket.gethostname() in lost.reason


def test_a_call_for_which_the_cluster_has_no_device_is_given_up(address, monkeypatch):
    monkeypatch.setattr(ray_pool, "_PATIENCE", 1)
    run_each = Cluster(address, lambda word: "cuda" if word == "gpu" else "cpu").run_each
    results = dict(run_each(jobs.shout, ["gpu", "a"]))
    assert results == {"a": "A", "gpu": Lost("the Ray cluster has no GPU, or no CPU, to run it")}


def test_a_worker_that_had_a_gpu_ends_before_another_model_may_get_it():
    with started_ray(num_cpus=1, num_gpus=1) as address:  # Ray counts it, but nothing uses it
        for _, process in Cluster(address, lambda _argument: None).run_each(jobs.process, ["a", "b"]):
            assert jobs.has_ended(int(process))


def test_the_report_of_a_check_names_a_lost_call(padcheck, address, monkeypatch):
    monkeypatch.setattr(ray_pool, "_PATIENCE", 1)
    done = padcheck("check", "demo", "--device", "cuda", "--ray", address, "--format", "json")
    assert (done.exit_code, done.report["exit_code"]) == (3, 3)
    assert done.report["reports"][0]["error"]["what"].startswith("There is no result: the Ray cluster has no GPU")


def test_a_ray_that_is_started_for_a_command_ends_with_it():
    pytest.importorskip("ray", reason=REASON)
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        # In another process, since Ray keeps a token in the home folder.
        code = (
            "import jobs, padcheck.running.ray_pool as c; print(*c.Cluster('local', str).run_each(jobs.shout, ['cpu']))"
        )
        environ = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": folder, "RAY_TMPDIR": folder}
        done = subprocess.run([sys.executable, "-c", code], env=os.environ | environ, capture_output=True, check=True)
        left = [each.pid for each in psutil.process_iter(["cmdline"]) if folder in " ".join(each.info["cmdline"] or ())]
        assert all(jobs.has_ended(pid) for pid in left)
    assert (done.stdout, done.stderr) == (b"('cpu', 'CPU')\n", b"")


def test_tp_plan_and_ray_exclude_each_other(padcheck):
    done = padcheck("check", "demo", "--tp-plan", "auto", "--ray", "auto")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--tp-plan and --ray exclude each other" in done.stderr


def test_a_cluster_that_does_not_answer_is_not_measured(monkeypatch):
    ray = pytest.importorskip("ray", reason=REASON)
    monkeypatch.delattr(ray, "init")  # it would try for minutes
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(NotMeasuredError, match=f"The Ray cluster {address} cannot be reached: .*refused"):
            list(Cluster(address, lambda _argument: None).run_each(jobs.shout, ["a"]))


@pytest.mark.parametrize("address", ["", "nonsense", "host:port", "host:1/path", "http://host:1", "ray://host"])
def test_an_invalid_address_is_a_wrong_command_line(padcheck, address):
    done = padcheck("check", "demo", "--ray", address)
    assert done.exit_code == 2
    assert "Use auto, local, HOST:PORT or ray://HOST:PORT" in done.stderr


def test_without_ray_it_says_what_to_install(padcheck, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for command in (("check", "demo"), ("survey", "llama")):
        done = padcheck(*command, "--ray", "auto")
        assert done.exit_code == 2
        assert "pip install 'padcheck[ray]'" in done.stderr
