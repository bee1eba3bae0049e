"""A model that does not fit into memory, while loading or running: one message and exit code 3."""

import inspect
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from model_folders import build_model, llama_config, save_tokenizer, tokenizer_json
from transformers import GPT2LMHeadModel, PreTrainedModel
from zoo import compare
from zoo.families import build_family

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.library.exceptions import is_out_of_memory

PROGRAM = """
import resource, sys
import padcheck.hf.measure
from padcheck.cli.app import main
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
    with torch.device("meta"):
        weights = build_model(config).state_dict()
    # A sparse file of some gigabytes: they take memory, but no space on disk.
    entries, size = {}, 0
    for name, weight in weights.items():
        end = size + 4 * weight.numel()
        entries[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [size, end]}
        size = end
    header = json.dumps(entries).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
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
def test_running_out_of_memory_is_distinguished_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


def starved(*_args, **_kwargs):
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")


def test_out_of_memory_in_a_run_ends_the_command(padcheck, folder_of, monkeypatch):
    monkeypatch.setattr("padcheck.hf.calls.generation.generate", starved)
    outcome = padcheck("compare", folder_of(tokenizer_json))
    assert outcome.exit_code == 3
    assert "Memory ran out" in outcome.stderr
    assert "--batch-size" in outcome.stderr


@pytest.mark.parametrize("function", ["view._smallest_that_works", "raising.Raiser._replace"])
def test_if_float32_does_not_fit_the_probes_run_in_16_bit(padcheck, folder_of, monkeypatch, function):
    monkeypatch.setattr(f"padcheck.hf.float32.{function}", starved)
    outcome = padcheck("compare", folder_of(tokenizer_json), "--dtype", "bfloat16", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    for name, run in outcome.report["arms"].items():
        in_float32 = name.endswith("_float32")
        assert run["dtype"] == ("float32" if in_float32 else None)
        assert bool(run["error"]) is in_float32
        assert not run["error"] or "can't allocate memory" in run["error"]
    assert outcome.report["comparisons"]["left_float32"]["verdict"] == "not_run"
    assert outcome.report["noise_floor"]["method"] == "measured"
    assert "PAD902" not in outcome.codes
    text = padcheck("compare", folder_of(tokenizer_json), "--dtype", "bfloat16", "--format", "markdown").stdout
    assert "no run in float32: RuntimeError: \\[enforce fail\\] DefaultCPUAllocator: can't allocate memory" in text


# While running


def with_room_for(rows: int) -> PreTrainedModel:
    """A model that runs out of memory if a batch has more rows."""
    model = build_family(torch.float32)

    def refuse(_model, args, kwargs):
        if len(args[0] if args else kwargs["input_ids"]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    model.register_forward_pre_hook(refuse, with_kwargs=True)
    return model


PROMPTS = tuple(tuple(range(4, 5 + length)) for length in range(10))


@pytest.mark.parametrize(
    ("rows", "size", "too_large"), [(100, 10, ()), (12, 10, ()), (9, 5, (10,)), (4, 2, (10, 5)), (3, 2, (10, 5))]
)
def test_the_batch_size_is_halved_until_it_fits_and_the_report_says_so(rows, size, too_large):
    evidence = compare(with_room_for(rows), PROMPTS, batch_size="auto").evidence
    assert (evidence.batch_size, evidence.batch_sizes_too_large) == (size, too_large)
    assert [row.prompt_index for row in evidence.runs["left"].rows] == list(range(len(PROMPTS)))
    assert {run.error for run in evidence.runs.values()} == {None}
    widths = {len(row.input_ids) for row in evidence.runs["left"].rows[:size]}
    assert widths == {len(PROMPTS[size - 1]) + 3}


def test_at_most_64_prompts_are_tried_in_one_batch():
    prompts = tuple((4 + index % 5,) * (1 + index % 3) for index in range(70))
    evidence = compare(build_family(torch.float32), prompts, batch_size="auto", max_new_tokens=1).evidence
    assert (evidence.batch_size, evidence.batch_sizes_too_large) == (64, ())


def test_if_two_prompts_do_not_fit_nothing_is_measured():
    with pytest.raises(NotMeasuredError, match="Memory ran out: CUDA out of memory"):
        compare(with_room_for(1), PROMPTS, batch_size="auto")


def test_a_batch_size_given_by_the_user_is_not_changed():
    with pytest.raises(NotMeasuredError, match="a smaller --batch-size, or auto"):
        compare(with_room_for(4), PROMPTS, batch_size=8)


def test_the_model_is_restored_after_memory_ran_out():
    model = with_room_for(4).train()
    config = model.generation_config
    compare(model, PROMPTS, batch_size="auto")
    assert model.training
    assert model.generation_config is config


def test_the_command_reports_the_reduced_batch_size(padcheck, monkeypatch):
    from padcheck.hf.calls import forwards, generation

    real = generation.tensors

    def tensors(model, rows):
        if len(rows) > 3:
            raise MemoryError
        return real(model, rows)

    monkeypatch.setattr(generation, "tensors", tensors)
    monkeypatch.setattr(forwards, "tensors", tensors)
    prompts = [word for text in ("one two three", "one", "three plus four is", "Monday") for word in ("--prompt", text)]
    quick = ("compare", "demo", *prompts, "--max-new-tokens", "2", "--batch-size", "auto")
    assert "batches of 2 (memory ran out with 4)" in " ".join(padcheck(*quick).stdout.split())
    assert padcheck(*quick, "--format", "json").report["batch_size"] == 2


# A large vocabulary

LARGE_VOCABULARY = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[1] / folder) for folder in ("measurements", "support")]!r}
import memory
print(memory.beyond_the_model(num_prompts=16))
"""


@pytest.mark.skipif(
    "logits_to_keep" not in inspect.signature(GPT2LMHeadModel.forward).parameters,
    reason="in this version of transformers GPT-2 works out the logits of every token",
)
def test_logits_of_a_large_vocabulary_do_not_accumulate():
    done = subprocess.run(
        [sys.executable, "-c", LARGE_VOCABULARY], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300
