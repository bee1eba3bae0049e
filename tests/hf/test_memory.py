"""A model that does not fit: one message and exit code 3, while loading and while running."""

import json
import struct
import subprocess
import sys

import pytest
import torch
from model_folders import llama_config, save_tokenizer, tokenizer_json

from padcheck.hf.load_errors import is_out_of_memory

PROGRAM = """
import resource, sys
import padcheck.hf.measure
from padcheck.cli import main
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 128 * 2**20,) * 2)
sys.argv = ["padcheck", "compare", sys.argv[1]]
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited through Linux's /proc")
def test_weights_that_do_not_fit_are_not_measured(tmp_path):
    config = llama_config()
    config.hidden_size = config.intermediate_size = 8192
    config.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    # One sparse gigabyte: it takes room in memory, not on disk.
    size = config.vocab_size * 8192 * 4
    header = json.dumps(
        {"model.embed_tokens.weight": {"dtype": "F32", "shape": [size // 32768, 8192], "data_offsets": [0, size]}}
    ).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "does not fit into memory" in done.stderr
    assert "--dtype bfloat16" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("shape mismatch"), False),
        (IndexError("index out of range in self"), False),
    ],
    ids=repr,
)
def test_running_out_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


def starved(*_args, **_kwargs):
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")


def test_an_arm_that_runs_out_of_memory_ends_the_run(padcheck, folder_of, monkeypatch):
    monkeypatch.setattr("padcheck.hf.plans.generate", starved)
    outcome = padcheck("compare", folder_of(tokenizer_json))
    assert outcome.exit_code == 3
    assert "Memory ran out" in outcome.stderr
    assert "--batch-size" in outcome.stderr


def test_a_copy_in_float32_that_does_not_fit_is_left_out_and_the_rest_runs(padcheck, folder_of, monkeypatch):
    monkeypatch.setattr("padcheck.hf.twin.Float32Twin.model", starved)
    outcome = padcheck("compare", folder_of(tokenizer_json), "--dtype", "bfloat16", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    arms = outcome.report["arms"]
    for name, arm in arms.items():
        assert bool(arm["error"]) is name.endswith("_float32")
        assert not arm["error"] or "can't allocate memory" in arm["error"]
    assert "can't allocate memory" in outcome.report["noise"]["float32_twin"]["error"]
    assert outcome.report["comparisons"]["left_float32"]["verdict"] == "not_run"
    assert outcome.report["noise_floor"]["method"] == "measured"
    assert "PAD902" not in outcome.codes
