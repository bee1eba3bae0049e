"""Two ranks on a CPU, started by torchrun. They write one report, the same as one process would.

If one rank fails alone or is killed, both end, and stderr says why.
"""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
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
SECONDS = 300
CHANGED = """
import os, signal, sys, time
from padcheck.cli.app import main
from padcheck.hf.parallel import ranks
from padcheck.hf.runs.table import EXECUTIONS

ranks._GRACE = {grace}
rank = int(os.environ["RANK"])
run = EXECUTIONS["left_no_mask"]

def changed(batch):
    {what}
    return run.function(batch)

EXECUTIONS["left_no_mask"] = run._replace(function=changed)
sys.argv[0] = "padcheck"
main()
"""
"""padcheck with a change in one of the runs, on one rank or on all of them."""


def torchrun(*command: object, ranks: int = 2) -> list[object]:
    """The command line that runs a program on several ranks."""
    options = ("--standalone", "--nproc-per-node", ranks)
    return [sys.executable, "-m", "torch.distributed.run", *options, *command]


def started(command: list[object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(each) for each in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_parallel(*arguments: object, program: tuple[object, ...] = ("-m", "padcheck"), ranks: int = 2) -> Outcome:
    """The output of torchrun and of all ranks together, and the exit code of torchrun."""
    with started(torchrun(*program, *arguments, "--tp-plan", "auto", ranks=ranks)) as process:
        try:
            stdout, stderr = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    return Outcome(process.returncode, stdout, stderr)


def failures(outcome: Outcome) -> dict[int, int]:
    """The exit codes that torchrun lists, by rank: those that are not 0."""
    found = re.findall(r"rank +: (\d+) .*\n +exitcode +: (-?\d+)", outcome.stderr)
    return {int(rank): int(code) for rank, code in found}


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., tuple[Path]]:
    """Writes a script that runs padcheck with a change in one of the runs."""

    def write(what: str, grace: float = 600) -> tuple[Path]:
        script = tmp_path / "changed.py"
        script.write_text(CHANGED.format(what=what, grace=grace), encoding="utf-8")
        return (script,)

    return write


@needs_ranks
def test_two_ranks_give_one_report_and_it_is_that_of_one_process(folder_of: FolderOf, tmp_path: Path, padcheck) -> None:
    compare = ("compare", folder_of(tokenizer_json), *FEW, "--thorough", "--format", "json")
    spread = in_parallel(*compare, "--report", f"markdown={tmp_path / 'report.md'}")
    alone = padcheck(*compare)
    assert failures(spread) == ({0: alone.exit_code} if alone.exit_code else {}), spread.stderr
    assert spread.stderr.count("wrote") == 1
    assert "cpu × 2 ranks (tensor parallel)" in (tmp_path / "report.md").read_text(encoding="utf-8")
    report, expected = spread.report, alone.report
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
    spread = in_parallel(*compare)
    alone = padcheck(*compare)
    assert spread.exit_code == alone.exit_code == 0, spread.stderr
    report, expected = spread.report, alone.report
    assert report["model"]["ranks"] == 2
    assert report["arms"].keys() == expected["arms"].keys()
    for name, arm in report["arms"].items():
        assert (arm["error"], arm["dtype"]) == (None, expected["arms"][name]["dtype"]), name
    assert 0 < report["noise_floor"]["measured_in_float32"] < 0.001
    assert report["comparisons"]["left_float32"]["verdict"] in ("identical", "equivalent")
    assert report["comparisons"]["left_float32"]["max_abs_diff"] < 0.001


@needs_ranks
def test_findings_end_only_rank_0_with_an_error(folder_of: FolderOf) -> None:
    outcome = in_parallel("compare", folder_of(tokenizer_json), *FEW, "--fail-on", "info", "--format", "json")
    assert outcome.report["findings"]
    assert outcome.exit_code == 1
    assert failures(outcome) == {0: 1}


@needs_ranks
def test_the_measurement_goes_on_if_a_run_fails_on_all_ranks(folder_of: FolderOf, changed) -> None:
    program = changed("raise RuntimeError('not for this model')")
    outcome = in_parallel("compare", folder_of(tokenizer_json), *FEW, "--format", "json", program=program)
    assert outcome.report["arms"]["left_no_mask"]["error"] == "RuntimeError: not for this model"
    assert outcome.report["arms"]["broken_mask"]["error"] is None


@needs_ranks
def test_the_check_goes_on_if_a_model_fails_on_all_ranks(folder_of: FolderOf, tmp_path: Path) -> None:
    known, good = tmp_path / "known.json", folder_of(tokenizer_json)
    outcome = in_parallel(
        "check", tmp_path / "absent", good, *FEW, "--format", "json", "--baseline", known, "--write-baseline"
    )
    assert failures(outcome) == {0: 3}
    assert [report["status"] for report in outcome.report["reports"]] == ["not_measured", "pass"]
    assert json.loads(known.read_text(encoding="utf-8"))


@needs_ranks
@pytest.mark.parametrize(
    ("build", "ranks", "expected"),
    [
        (None, 2, (3, "There is no folder")),
        (vocab_and_merges, 2, (2, "This model does not support --tp-plan auto")),
        (tokenizer_json, 3, (2, "4 heads (num_attention_heads) cannot be divided evenly among 3 ranks")),
    ],
    ids=["absent", "no plan", "uneven"],
)
def test_an_error_on_all_ranks_is_printed_once(build, ranks, expected, folder_of: FolderOf, tmp_path) -> None:
    exit_code, message = expected
    model = tmp_path / "absent" if build is None else folder_of(build)
    outcome = in_parallel("compare", model, *FEW, ranks=ranks)
    assert failures(outcome) == {0: exit_code}
    assert outcome.stdout == ""
    assert outcome.stderr.count(message) == 1
    assert "Rank" not in outcome.stderr


@needs_ranks
def test_an_error_before_the_ranks_are_joined_is_printed(folder_of: FolderOf) -> None:
    outcome = in_parallel("compare", folder_of(tokenizer_json), "--select", "PAD999")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "PAD999" in outcome.stderr


@needs_ranks
@pytest.mark.parametrize(
    ("rank", "what", "message"),
    [
        (1, "raise RuntimeError('lost a wheel')", "Rank 1: RuntimeError: lost a wheel"),
        (0, "raise MemoryError", "Rank 0: Memory ran out"),
    ],
)
def test_a_rank_that_fails_alone_ends_all(rank, what, message, folder_of: FolderOf, changed) -> None:
    """The other rank waits for it in a collective."""
    program = changed(f"if rank == {rank}: {what}", grace=1)
    outcome = in_parallel("compare", folder_of(tokenizer_json), *FEW, program=program)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr.count(message) == outcome.stderr.count("padcheck: ") == 1


@needs_ranks
def test_a_rank_that_fails_alone_ends_those_that_have_finished_the_step(folder_of: FolderOf, changed) -> None:
    program = changed("if rank == 1: run.function(batch); raise RuntimeError('lost a wheel')")
    outcome = in_parallel("compare", folder_of(tokenizer_json), *FEW, program=program)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr.count("padcheck: ") == outcome.stderr.count("Rank 1: RuntimeError: lost a wheel") == 1
    assert failures(outcome) == {0: -signal.SIGTERM, 1: 3}


@needs_ranks
def test_a_rank_that_is_killed_ends_all(folder_of: FolderOf, changed) -> None:
    program = changed("if rank == 1: os.kill(os.getpid(), signal.SIGKILL)")
    outcome = in_parallel("compare", folder_of(tokenizer_json), *FEW, program=program)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert failures(outcome) == {0: -signal.SIGTERM, 1: -signal.SIGKILL}


@needs_ranks
def test_ctrl_c_ends_all_and_is_reported_once(folder_of: FolderOf, changed) -> None:
    program = changed("if rank == 1: print('now', file=sys.__stdout__, flush=True); time.sleep(1000)")
    with started(torchrun(*program, "compare", folder_of(tokenizer_json), *FEW, "--tp-plan", "auto")) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "now\n"  # rank 0 waits in a collective, or soon will
            process.send_signal(signal.SIGINT)  # torchrun passes it on
            _, stderr = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode != 0
    assert stderr.count("padcheck: ") == stderr.count("padcheck: Interrupted: nothing was measured.") == 1


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
