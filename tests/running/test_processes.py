"""Programs of several processes and threads under `padcheck run`: one report for all of them."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from padcheck.demo import MODEL_FOLDER

LOADED = f"""
import os, sys, threading, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
def load():
    tokenizer = AutoTokenizer.from_pretrained({str(MODEL_FOLDER)!r})
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, AutoModelForCausalLM.from_pretrained({str(MODEL_FOLDER)!r}).eval()
def answer(tokenizer, model, side):
    batch = tokenizer(["Monday Tuesday Wednesday", "January"], padding=True, padding_side=side, return_tensors="pt")
    return model.generate(**batch, max_new_tokens=2)  # here
"""
HERE = next(number for number, line in enumerate(LOADED.splitlines(), 1) if "# here" in line)
RANKS = """
import torch.distributed as dist
dist.init_process_group("gloo")
tokenizer, model = load()
answer(tokenizer, model, sys.argv[1 + dist.get_rank()])
dist.barrier()
dist.destroy_process_group()
print("done", flush=True)
"""
SPAWNED = """
import torch.multiprocessing as mp
def work(rank, sides):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(len(sides))}
    tokenizer, model = load()
    answer(tokenizer, model, sides[rank])
if __name__ == "__main__":
    mp.start_processes(work, args=(sys.argv[2:],), nprocs=2, start_method=sys.argv[1])
    print("done")
"""
LOADER = """
from torch.utils.data import DataLoader
class Collate:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
    def __call__(self, chosen):
        ids = self.tokenizer(chosen, padding=True, padding_side="left", return_tensors="pt").input_ids
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
if __name__ == "__main__":
    tokenizer, model = load()
    texts = ["Monday Tuesday Wednesday", "March", "one two", "May June July"]
    collate = Collate(tokenizer)
    for batch in DataLoader(texts, 2, num_workers=1, collate_fn=collate, multiprocessing_context=sys.argv[1]):
        model.generate(**batch, max_new_tokens=3)  # loader
    print("done")
"""


@pytest.fixture
def run(tmp_path):
    """Runs a program under `padcheck run`, and returns its outcome and the report."""

    def start(text, *argv, launcher=(), code):
        script, report = tmp_path / "my script.py", tmp_path / "run.json"
        script.write_text(LOADED + text)
        command = [sys.executable, *launcher, "-m", "padcheck", "run", "--report", f"json={report}", str(script), *argv]
        # Not in tmp_path: the path of a socket may have only 107 characters, and a worker with a longer one hangs.
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder, "OMP_NUM_THREADS": "1"}
            outcome = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            assert outcome.returncode == code, outcome.stderr
            assert list(Path(folder).glob("padcheck-*")) == []
        return outcome, json.loads(report.read_text())

    return start


def seen(document):
    return [(each["code"], each["line"], each["ranks"]) for each in document["findings"]]


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python", sys.executable)
ACCELERATE = (
    "-m",
    "accelerate.commands.launch",
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--gpu_ids",
    "all",
)


@pytest.mark.parametrize(
    ("sides", "ranks", "code"),
    [(("left", "right"), [1], 1), (("right", "right"), [0, 1], 1), (("left", "left"), None, 0)],
)
def test_torchrun_gives_one_report_that_names_the_ranks(run, sides, ranks, code):
    outcome, document = run(RANKS, *sides, launcher=TORCHRUN, code=code)
    assert outcome.stdout.count("done") == 2
    assert seen(document) == ([] if ranks is None else [("PAD501", HERE, ranks)])
    assert document["calls"]["generate"] == 2
    assert outcome.stderr.count("2 calls of a model, 2 of them with pads") == 1  # one report


def test_accelerate_launch_gives_one_report_too(run):
    launcher = (*ACCELERATE, "--mixed_precision", "no", "--dynamo_backend", "no", "--no_python", sys.executable)
    _, document = run(RANKS, "left", "right", launcher=launcher, code=1)
    assert seen(document) == [("PAD501", HERE, [1])]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_program_that_starts_its_ranks_itself_is_watched_in_all_of_them(run, method):
    outcome, document = run(SPAWNED, method, "left", "right", code=1)
    assert outcome.stdout == "done\n"
    assert seen(document) == [("PAD501", HERE, [1])]
    assert document["calls"]["generate"] == 2


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_the_rows_of_a_loaders_workers_are_known(run, method):
    outcome, document = run(LOADER, method, code=1)
    assert outcome.stdout == "done\n"
    line = next(number for number, text in enumerate((LOADED + LOADER).splitlines(), 1) if "# loader" in text)
    assert seen(document) == [("PAD503", line, [])]


def test_a_rank_that_ends_at_once_does_not_keep_the_report_waiting(run):
    ends = (
        "tokenizer, model = load()\nif os.environ['RANK'] == '1':\n    os._exit(0)\nanswer(tokenizer, model, 'left')\n"
    )
    _, document = run(ends, launcher=TORCHRUN, code=0)
    assert document["calls"]["generate"] == 1


def test_a_mistake_of_a_child_that_is_killed_is_reported(run):
    killed = """
tokenizer, model = load()
child = os.fork()
if not child:
    answer(tokenizer, model, "right")
    os.kill(os.getpid(), 9)
os.waitpid(child, 0)
"""
    _, document = run(killed, code=1)
    assert seen(document) == [("PAD501", HERE, [])]


def test_threads_are_watched_and_do_not_disturb_each_other(run):
    threads = """
tokenizer, model = load()
model.train()
modes = set()
model.transformer.h[0].register_forward_pre_hook(lambda module, _: modes.add(module.training))
# A fast tokenizer cannot be used by two threads at the same time.
several = [threading.Thread(target=answer, args=(load()[0], model, side)) for side in ["left", "right"] * 4]
for thread in several: thread.start()
for thread in several: thread.join()
assert modes == {True}, modes  # no check, which needs the eval mode, ran at the same time as a call
"""
    _, document = run(threads, code=1)
    assert seen(document) == [("PAD501", HERE, [])]
    assert document["calls"]["generate"] == 8
    assert document["notes"] == []
