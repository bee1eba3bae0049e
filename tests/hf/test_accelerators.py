"""CUDA, Apple and Intel accelerators are chosen by default, and give the same results as the CPU."""

from types import SimpleNamespace

import pytest
import torch

from padcheck.hf.library import devices
from padcheck.hf.library.devices import default_device, empty_cache

QUICK = ("--max-new-tokens", "4", "--format", "json")
found = default_device()
needs_accelerator = pytest.mark.skipif(found.type == "cpu", reason="torch finds no accelerator here")
needs_cuda = pytest.mark.skipif(found.type != "cuda", reason="torch finds no CUDA device here")


@pytest.mark.parametrize("name", ["cuda", "mps", "xpu"])
def test_the_accelerator_of_the_machine_is_chosen(name, monkeypatch):
    accelerator = SimpleNamespace(is_available=lambda: True, current_accelerator=lambda: torch.device(name))
    monkeypatch.setattr(torch, "accelerator", accelerator)
    assert default_device() == torch.device(name)


def test_without_an_accelerator_the_cpu_is_used_even_if_torch_supports_one(monkeypatch):
    accelerator = SimpleNamespace(is_available=lambda: False, current_accelerator=lambda: torch.device("cuda"))
    monkeypatch.setattr(torch, "accelerator", accelerator)
    assert default_device() == torch.device("cpu")


@pytest.mark.parametrize("there", ["cuda", "mps", "xpu", "none of them"])
def test_before_torch_2_6_each_backend_is_asked(there, monkeypatch):
    monkeypatch.delattr(torch, "accelerator", raising=False)
    for name, owner in (("cuda", torch), ("xpu", torch), ("mps", torch.backends)):
        backend = SimpleNamespace(is_available=lambda name=name: name == there)
        monkeypatch.setattr(owner, name, backend, raising=False)
    assert default_device() == torch.device("cpu" if there == "none of them" else there)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_cached_memory_is_returned_if_the_device_caches_it(device, monkeypatch):
    emptied = []
    monkeypatch.setattr(devices.torch, "cuda", SimpleNamespace(empty_cache=lambda: emptied.append("cuda")))
    empty_cache(SimpleNamespace(device=torch.device(device)))
    assert emptied == (["cuda"] if device == "cuda" else [])


@needs_accelerator
@pytest.mark.accelerator
def test_by_default_the_model_runs_on_the_accelerator_with_the_same_result_as_on_the_cpu(padcheck):
    there = padcheck("compare", "demo", *QUICK, "--dtype", "float32")
    cpu = padcheck("compare", "demo", *QUICK, "--dtype", "float32", "--device", "cpu")
    assert there.report["model"]["device"].startswith(found.type)
    assert there.exit_code == cpu.exit_code == 0
    assert [row["text"] for row in there.report["arms"]["left"]["rows"]] == [
        row["text"] for row in cpu.report["arms"]["left"]["rows"]
    ]


@needs_cuda
@pytest.mark.accelerator
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_every_attention_implementation_in_one_table_on_cuda(dtype, padcheck):
    outcome = padcheck("compare", "demo", *QUICK, "--dtype", dtype, "--attn-implementation", "all")
    assert outcome.exit_code == 0, outcome.stdout
    models = [report["model"] for report in outcome.report["reports"]]
    assert [model["attn_implementation"] for model in models] == models[0]["attn_implementations"]
    assert {"eager", "sdpa"} <= {model["attn_implementation"] for model in models}
    assert {model["dtype"] for model in models} == {dtype}
    for report in outcome.report["reports"]:
        assert report["comparisons"]["left"]["verdict"] in ("identical", "equivalent")
