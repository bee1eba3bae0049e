"""compare() restores the model and the tokenizer, also after an exception."""

import collections
import copy
import logging
import random
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import model_folders as folders
import numpy as np
import pytest
import torch
from jobs import PATIENCE
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import CausalLMOutput

import padcheck as public
from padcheck.hf.library.untouched import untouched

LOGGERS = ("transformers", "huggingface_hub", "accelerate", "peft", "bitsandbytes")
ROPES: dict[str, dict[str, Any]] = {
    "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "longrope": {
        "rope_type": "longrope",
        "short_factor": [1.0] * 4,
        "long_factor": [2.0] * 4,
        "factor": 2.0,
        "original_max_position_embeddings": 16,
    },
}


def settings_of(holder: object) -> dict[str, Any]:
    """The settings of a config and its parts, including private attributes."""
    return {
        name: settings_of(value) if hasattr(value, "to_dict") else copy.deepcopy(value)
        for name, value in vars(holder).items()
    }


def state(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Everything about the two objects and the process that a user could see."""
    modules = dict(model.named_modules())
    backend = tokenizer.backend_tokenizer
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "training": {name: module.training for name, module in modules.items()},
        "attributes": {name: sorted(vars(module)) for name, module in modules.items()},
        "hooks": {name: (dict(m._forward_hooks), dict(m._forward_pre_hooks)) for name, m in modules.items()},
        "same tensors": {name: id(tensor) for name, tensor in tensors.items()},
        "numbers": {name: tensor.detach().clone().tolist() for name, tensor in tensors.items()},
        "grads": {name: None if p.grad is None else p.grad.tolist() for name, p in model.named_parameters()},
        "requires_grad": {name: p.requires_grad for name, p in model.named_parameters()},
        "devices": {name: (tensor.device, tensor.dtype) for name, tensor in tensors.items()},
        "config": (id(model.config), settings_of(model.config)),
        "generation_config": (id(model.generation_config), settings_of(model.generation_config)),
        "tokenizer": (tokenizer.padding_side, tokenizer.truncation_side, tokenizer.pad_token, repr(tokenizer)),
        "tokenizer's warnings": dict(tokenizer.deprecation_warnings),
        "backend": (backend.padding, backend.truncation, backend.encode_special_tokens, backend.to_str()),
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
        "logging": {n: (logging.getLogger(n).handlers[:], logging.getLogger(n).level) for n in LOGGERS},
        "warnings": (list(warnings.filters), warnings.showwarning),
        "torch": (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }


def assert_same(after: dict[str, Any], before: dict[str, Any]) -> None:
    for name, value in before.items():
        assert after[name] == value, name


def in_training(tmp_path, **rope: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model during training: dropout, gradients, a frozen part, and a tokenizer with settings."""
    changes = {"rope_scaling": rope} if rope else {}
    folders.padding_in_tokenizer_json(tmp_path)
    config = folders.llama_config(attention_dropout=0.3, max_position_embeddings=32, **changes)
    model = AutoModelForCausalLM.from_config(config).train()
    model.model.layers[0].eval()
    model.model.embed_tokens.requires_grad_(requires_grad=False)
    model.generation_config.update(do_sample=True, temperature=0.7, repetition_penalty=1.3)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model(torch.tensor([[5, 6, 7]]), labels=torch.tensor([[5, 6, 7]])).loss.backward()
    return model, tokenizer


@pytest.mark.parametrize("rope", [{}, *ROPES.values()], ids=["default", *ROPES])
def test_everything_is_restored(tmp_path, rope):
    model, tokenizer = in_training(tmp_path, **rope)
    seen: list[bool] = []
    handle = model.model.register_forward_hook(lambda module, _args, _output: seen.append(module.training))
    before = state(model, tokenizer)
    report = public.compare(model, tokenizer, ["five tokens and three", "a mat"], max_new_tokens=40, thorough=True)
    assert_same(state(model, tokenizer), before)
    assert before["backend"][0] is not None
    assert all(report.evidence.runs[name].error is None for name in ("single", "left", "right"))
    assert set(seen) == {False}  # the hook was called, and always in eval mode
    handle.remove()
    assert not model.model._forward_hooks


def test_every_kind_of_change_is_undone(tmp_path):
    model, tokenizer = in_training(tmp_path)
    model.config.part = LlamaConfig()
    before = state(model, tokenizer)
    with untouched(model, tokenizer):
        model.eval()
        model.register_forward_hook(print)
        model.config._attn_implementation = "eager"
        model.config.part.hidden_size = 7
        model.generation_config.temperature = 3.0
        model.generation_config = None
        model.left_behind = object()
        model.lm_head, layers = torch.nn.Linear(1, 1), model.model.layers
        del model.model.layers
        model.model.layers = layers
        layers[0].self_attn.register_buffer("inv_freq", torch.ones(1))
        layers[1].mlp.up_proj.weight = torch.nn.Parameter(torch.ones(1))
        tokenizer.padding_side = tokenizer.truncation_side = "left"
        tokenizer.pad_token = "</s>"
        tokenizer(["a", "big dog"], padding=True, truncation=True, max_length=2)
        tokenizer.backend_tokenizer.encode_special_tokens = True
        tokenizer.backend_tokenizer.no_padding()
    assert_same(state(model, tokenizer), before)
    assert list(model.model._modules) == ["embed_tokens", "layers", "norm", "rotary_emb"]


def test_what_a_hook_changes_in_place_is_restored(tmp_path):
    model, tokenizer = in_training(tmp_path)
    model.register_buffer("calls", torch.zeros(2, dtype=torch.int64))
    model.register_buffer("mask", torch.zeros(2, dtype=torch.bool), persistent=False)
    model.last = torch.zeros(2)
    model.stats = {"layers": [{"calls": 0}, collections.Counter(a=1)], "order": collections.OrderedDict(b=1, a=2)}
    model.recent = (collections.deque([1, 2], maxlen=2), {3})
    model.output = CausalLMOutput(logits=torch.zeros(2))
    model.config.notes = {"seen": []}
    kept = model.stats["layers"], model.recent[0], model.output

    def change(model, _args, _output):
        for tensor in (model.calls, model.mask, model.last, model.output.logits, model.calls.data):
            tensor.add_(1)
        model.stats["layers"][0]["calls"] += 1
        model.stats["layers"][1].update("ab")
        model.stats["layers"].append(model.calls)
        model.stats["order"].move_to_end("b")
        model.recent[0].append(3)
        model.recent[1].clear()
        model.output["loss"] = model.calls
        model.config.notes["seen"].append(1)

    handle = model.register_forward_hook(change)
    public.compare(model, tokenizer, max_new_tokens=2)
    handle.remove()
    assert (model.calls.tolist(), model.mask.tolist(), model.last.tolist()) == ([0, 0], [False, False], [0, 0])
    assert model.stats == {"layers": [{"calls": 0}, {"a": 1}], "order": {"b": 1, "a": 2}}
    assert list(model.stats["order"]) == ["b", "a"]
    assert model.recent == (collections.deque([1, 2]), {3})
    assert list(model.output) == ["logits"]
    assert model.output.logits.tolist() == [0, 0]
    assert model.config.notes == {"seen": []}
    assert all(a is b for a, b in zip(kept, (model.stats["layers"], model.recent[0], model.output), strict=True))


def test_the_weights_of_a_quantized_model_are_not_copied(tmp_path, monkeypatch):
    model, tokenizer = in_training(tmp_path)
    model.register_buffer("packed", torch.zeros(2, dtype=torch.int32))
    model.register_buffer("calculated", torch.zeros(2), persistent=False)
    model.is_quantized = True
    with untouched(model, tokenizer):
        model.packed.add_(1)
        model.calculated.add_(1)
    assert (model.packed.tolist(), model.calculated.tolist()) == ([1, 1], [0, 0])


def test_a_loss_from_before_can_still_go_backward(tmp_path):
    model, tokenizer = in_training(tmp_path)
    model.register_buffer("scale", torch.ones(1))
    loss = (model.scale * model.lm_head.weight).sum()
    public.compare(model, tokenizer, max_new_tokens=2)
    loss.backward()


def test_everything_is_restored_with_a_static_cache(tmp_path):
    model, tokenizer = in_training(tmp_path)
    model.generation_config.update(do_sample=False, temperature=None, cache_implementation="static")
    before = state(model, tokenizer)
    report = public.compare(model, tokenizer, max_new_tokens=3)
    assert_same(state(model, tokenizer), before)
    assert report.evidence.runs["left"].error is None


def stop(error: BaseException, after: int) -> Callable[..., None]:
    """A forward hook that raises `error` after some calls, as Ctrl-C does."""
    calls = iter(range(after))

    def hook(*_args: object, **_kwargs: object) -> None:
        if next(calls, None) is None:
            raise error

    return hook


@pytest.mark.parametrize("after", [0, 3, 60, 120])
def test_everything_is_restored_after_an_interruption(tmp_path, after):
    model, tokenizer = in_training(tmp_path)
    model.model.register_forward_hook(stop(KeyboardInterrupt(), after))
    before = state(model, tokenizer)
    with pytest.raises(KeyboardInterrupt):
        public.compare(model, tokenizer, thorough=True)
    assert_same(state(model, tokenizer), before)


def test_everything_is_restored_after_an_error(tmp_path, monkeypatch):
    model, tokenizer = in_training(tmp_path)
    monkeypatch.setattr("padcheck.hf.runs.noise.NoiseMeter.measure", stop(ZeroDivisionError("a bug"), 0))
    before = state(model, tokenizer)
    with pytest.raises(ZeroDivisionError):
        public.compare(model, tokenizer)
    assert_same(state(model, tokenizer), before)


def test_the_random_states_are_restored(tmp_path):
    model, tokenizer = in_training(tmp_path)

    def draw(*_args: object) -> None:
        torch.rand(3), random.random(), np.random.rand()

    model.model.register_forward_hook(draw)
    before = state(model, tokenizer)
    public.compare(model, tokenizer, max_new_tokens=2)
    assert_same(state(model, tokenizer), before)


def test_the_random_states_of_all_accelerators_are_restored(tmp_path, monkeypatch):
    """With stand-ins for the accelerators that this machine does not have."""
    model, tokenizer = in_training(tmp_path)
    states = {"cuda": [1, 2], "xpu": [3], "mps": 4}
    for name in ("cuda", "xpu"):
        monkeypatch.setattr(f"torch.{name}.is_initialized", lambda: True)
        monkeypatch.setattr(f"torch.{name}.get_rng_state_all", lambda name=name: states[name])
        monkeypatch.setattr(f"torch.{name}.set_rng_state_all", lambda state, name=name: states.update({name: state}))
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    monkeypatch.setattr("torch.mps.get_rng_state", lambda: states["mps"])
    monkeypatch.setattr("torch.mps.set_rng_state", lambda state: states.update(mps=state))
    before = dict(states)
    with untouched(model, tokenizer):
        states.update(cuda=[5, 6], xpu=[7], mps=8)
    assert states == before


def test_a_second_thread_waits_and_everything_is_restored(tmp_path, monkeypatch):
    first, second = in_training(tmp_path), in_training(tmp_path)
    lock, arrivals, order = threading.RLock(), threading.Semaphore(0), []
    first_runs = threading.Event()

    class WatchedLock:
        def __enter__(self):
            arrivals.release()
            lock.acquire()

        def __exit__(self, *_exc_info):
            lock.release()

    def wait_for_the_second(*_args):
        if not first_runs.is_set():
            first_runs.set()
            assert all(arrivals.acquire(timeout=PATIENCE) for _ in range(2))
        order.append(1)

    monkeypatch.setattr("padcheck.hf.in_memory._ONE_AT_A_TIME", WatchedLock())
    first[0].register_forward_hook(wait_for_the_second)
    second[0].register_forward_hook(lambda *_args: order.append(2))
    before, stdout = [state(*first), state(*second)], sys.stdout
    with ThreadPoolExecutor(2) as executor:
        reports = [executor.submit(public.compare, *first, max_new_tokens=2)]
        assert first_runs.wait(PATIENCE)
        reports.append(executor.submit(public.compare, *second, max_new_tokens=2))
        assert all(not run.error for report in reports for run in report.result().evidence.runs.values())
    assert sorted(order) == order
    assert set(order) == {1, 2}
    assert sys.stdout is stdout
    for given, was in zip((first, second), before, strict=True):
        assert_same(state(*given), was)


def test_a_tokenizer_without_a_pad_token_does_not_get_one(tmp_path):
    model, _ = in_training(tmp_path)
    folders.save_tokenizer(tmp_path, pad_token=None)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.pad_token is None
    report = public.compare(model, tokenizer, max_new_tokens=2)
    assert report.evidence.tokenizer.pad_token_used == "</s>"
    assert tokenizer.pad_token is None
    assert tokenizer.special_tokens_map.keys() == {"bos_token", "eos_token", "unk_token"}
