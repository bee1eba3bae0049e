"""Two ranks on a CPU: one report, the same as of one process; and whatever happens to a rank, both end soon."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch.distributed
from conftest import Outcome, run_in_process
from model_folders import Builder, tokenizer_json, vocab_and_merges

FolderOf = Callable[[Builder], Path]

try:
    from transformers.distributed import DistributedConfig

    possible = hasattr(DistributedConfig, "tp_plan") and torch.distributed.is_available()
except ImportError:
    possible = False

needs_ranks = pytest.mark.skipif(not possible, reason="transformers.distributed.DistributedConfig has no tp_plan here")
FEW = ("--max-new-tokens", "3")
SECONDS = 100
FAILING = """
import os, signal, sys, time
from dataclasses import replace
from padcheck.hf.parallel import lifeline
from padcheck.cli.app import main
from padcheck.hf.runs.table import EXECUTIONS, Execution

lifeline._GRACE = 2.0

def fails(run):
    {what}

if os.environ["RANK"] == "{rank}":
    EXECUTIONS["left_no_mask"] = Execution(fails, EXECUTIONS["left_no_mask"].prompts)
sys.argv = ["padcheck", *sys.argv[1:]]
main()
"""


@contextmanager
def started(*command: object, ranks: int = 2) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes of both ranks, as torchrun would start them; none of them is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1"}
    processes = [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=os.environ | world | {"MASTER_PORT": str(port), "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def outcomes(*command: object, ranks: int = 2) -> list[Outcome]:
    """What each rank gave; none may take longer than the others and a limit."""
    with started(*command, ranks=ranks) as processes:
        ended = [process.communicate(timeout=SECONDS) for process in processes]
        return [Outcome(process.returncode, *texts) for process, texts in zip(processes, ended, strict=True)]


def in_parallel(*arguments: object, ranks: int = 2) -> list[Outcome]:
    return outcomes("-m", "padcheck", *arguments, "--tp-plan", "auto", ranks=ranks)


@needs_ranks
def test_two_ranks_give_one_report_and_it_is_that_of_one_process(folder_of: FolderOf, tmp_path: Path, padcheck) -> None:
    compare = ("compare", folder_of(tokenizer_json), *FEW, "--thorough", "--format", "json")
    first, second = in_parallel(*compare, "--report", f"markdown={tmp_path / 'report.md'}")
    alone = padcheck(*compare)
    assert (first.exit_code, second.exit_code) == (alone.exit_code, alone.exit_code), first.stderr
    assert (second.stdout, second.stderr) == ("", "")
    assert first.stderr.splitlines() == [f"wrote {tmp_path / 'report.md'}"]
    assert "cpu × 2 ranks (tensor parallel)" in (tmp_path / "report.md").read_text(encoding="utf-8")
    report, expected = first.report, alone.report
    assert report["model"]["ranks"] == 2
    assert report["model"]["num_parameters"] == expected["model"]["num_parameters"]
    found, wanted = (
        [(each["code"], each["severity"], each["evidence"].get("prompts")) for each in one["findings"]]
        for one in (report, expected)
    )
    assert found == wanted
    assert report["arms"].keys() == expected["arms"].keys()
    for name, arm in report["arms"].items():
        assert arm["error"] is None
        assert arm["rows"] == expected["arms"][name]["rows"], name
    verdicts = [{name: each["verdict"] for name, each in one["comparisons"].items()} for one in (report, expected)]
    assert verdicts[0] == verdicts[1]
    for name in ("rounding_errors", "other_attention"):
        assert report["noise"][name]["error"] is None


@needs_ranks
def test_a_16_bit_model_that_is_spread_over_ranks_is_probed_in_float32(folder_of: FolderOf, padcheck) -> None:
    compare = ("compare", folder_of(tokenizer_json), *FEW, "--dtype", "bfloat16", "--format", "json")
    first, second = in_parallel(*compare)
    alone = padcheck(*compare)
    assert first.exit_code == second.exit_code == alone.exit_code == 0, first.stderr
    report, expected = first.report, alone.report
    assert report["model"]["ranks"] == 2
    assert report["arms"].keys() == expected["arms"].keys()
    for name, arm in report["arms"].items():
        assert (arm["error"], arm["dtype"]) == (None, expected["arms"][name]["dtype"]), name
    assert 0 < report["noise_floor"]["measured_in_float32"] < 0.001
    assert report["comparisons"]["left_float32"]["verdict"] in ("identical", "equivalent")
    assert report["comparisons"]["left_float32"]["max_abs_diff"] < 0.001


@needs_ranks
def test_a_check_of_several_models_goes_on_where_all_ranks_fail_alike(folder_of: FolderOf, tmp_path: Path) -> None:
    known, good = tmp_path / "known.json", folder_of(tokenizer_json)
    first, second = in_parallel(
        "check", tmp_path / "absent", good, *FEW, "--format", "json", "--baseline", known, "--write-baseline"
    )
    assert first.exit_code == second.exit_code == 3
    assert second.stdout == ""
    assert [report["status"] for report in first.report["reports"]] == ["not_measured", "pass"]
    assert json.loads(known.read_text(encoding="utf-8"))


@needs_ranks
@pytest.mark.parametrize(
    ("build", "ranks", "told"),
    [
        (None, 2, (3, "There is no folder")),
        (vocab_and_merges, 2, (2, "This model does not support --tp-plan auto")),
        (tokenizer_json, 3, (2, "4 heads (num_attention_heads) cannot be dealt out evenly to 3 ranks")),
    ],
    ids=["absent", "no plan", "uneven"],
)
def test_what_fails_on_all_ranks_is_said_once(build, ranks, told, folder_of: FolderOf, tmp_path) -> None:
    exit_code, said = told
    model = tmp_path / "absent" if build is None else folder_of(build)
    first, *others = in_parallel("compare", model, *FEW, ranks=ranks)
    assert first.exit_code == exit_code
    assert said in first.stderr
    assert "Rank" not in first.stderr
    for other in others:
        assert (other.exit_code, other.stdout, other.stderr) == (exit_code, "", "")


@needs_ranks
@pytest.mark.parametrize(
    ("rank", "what", "codes", "said"),
    [
        (1, "os.kill(os.getpid(), signal.SIGKILL)", (3, -9), "Rank 1 ended without a word"),
        (0, "os.kill(os.getpid(), signal.SIGKILL)", (-9, 3), "Rank 0 ended without a word"),
        (1, "raise RuntimeError('lost a wheel')", (3, 3), "Rank 1: RuntimeError: lost a wheel"),
        (0, "raise MemoryError", (3, 3), "Memory ran out"),
        (1, "os.kill(os.getpid(), signal.SIGTERM); time.sleep(1000)", (3, 3), "Rank 1: Stopped by SIGTERM"),
    ],
    ids=["1 killed", "0 killed", "1 raises", "0 out of memory", "1 terminated"],
)
def test_a_rank_that_fails_alone_ends_all(rank, what, codes, said, folder_of: FolderOf) -> None:
    program = FAILING.format(rank=rank, what=what)
    ended = outcomes("-c", program, "compare", folder_of(tokenizer_json), *FEW, "--tp-plan", "auto")
    assert tuple(each.exit_code for each in ended) == codes
    assert [each.stdout for each in ended] == ["", ""]
    speaker, other = (1, 0) if codes[0] < 0 else (0, 1)
    assert said in ended[speaker].stderr
    assert "Traceback" not in ended[speaker].stderr
    assert ended[other].stderr == ""


@needs_ranks
def test_ctrl_c_on_all_ranks_is_said_once(folder_of: FolderOf) -> None:
    program = FAILING.format(rank=1, what="print('now', file=sys.__stdout__, flush=True); time.sleep(1000)")
    with started("-c", program, "compare", folder_of(tokenizer_json), *FEW, "--tp-plan", "auto") as processes:
        assert processes[1].stdout.readline() == "now\n"  # and rank 0 waits inside of a collective
        for process in processes:
            process.send_signal(signal.SIGINT)
        errors = [process.communicate(timeout=SECONDS)[1] for process in processes]
    assert [process.returncode for process in processes] == [3, 3]
    assert errors == ["padcheck: Interrupted: nothing was measured.\n", ""]


def test_without_torchrun_the_line_that_starts_it_is_shown() -> None:
    outcome = run_in_process("compare", "demo", "--tp-plan", "auto")
    assert outcome.exit_code == 2
    assert "torchrun --nproc-per-node 2 -m padcheck compare MODEL --tp-plan auto" in outcome.stderr


def test_several_processes_without_a_plan_would_write_several_reports() -> None:
    outcome = run_in_process("compare", "demo", WORLD_SIZE="2", RANK="1")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "each would write a report" in outcome.stderr
    assert "--tp-plan auto" in outcome.stderr


@pytest.mark.skipif(possible, reason="this transformers has tensor parallelism")
def test_a_transformers_without_it_says_what_is_needed() -> None:
    outcome = run_in_process("compare", "demo", "--tp-plan", "auto", WORLD_SIZE="2", RANK="0")
    assert outcome.exit_code == 2
    assert "pip install -U transformers" in outcome.stderr
