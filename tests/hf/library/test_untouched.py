"""compare() restores the model and the tokenizer, also after an exception."""

import copy
import logging
import random
import warnings
from collections.abc import Callable
from typing import Any

import model_folders as folders
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel, PreTrainedTokenizerBase

import padcheck as public
import padcheck.api  # imported here because Rich draws a random number on import
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


def test_a_tokenizer_without_a_pad_token_does_not_get_one(tmp_path):
    model, _ = in_training(tmp_path)
    folders.save_tokenizer(tmp_path, pad_token=None)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.pad_token is None
    report = public.compare(model, tokenizer, max_new_tokens=2)
    assert report.evidence.tokenizer.pad_token_used == "</s>"
    assert tokenizer.pad_token is None
    assert tokenizer.special_tokens_map.keys() == {"bos_token", "eos_token", "unk_token"}
