"""Restores the user's model and tokenizer after measuring, and a model between two runs."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase


@contextmanager
def untouched(model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Restores model, tokenizer and all random states when the context ends, also after an exception.

    Restored for every module: the training flag, hooks, parameters, buffers and configs, and the numbers in buffers
    that are calculated rather than loaded. Attributes that generate() adds, such as a static cache, are removed. The
    numbers in weights and gradients are not copied: all runs use inference mode, in which nothing writes to them.
    """
    with _random_numbers(model), untouched_state(model, tokenizer), _backend(tokenizer):
        yield


@contextmanager
def untouched_state(model: nn.Module, *others: object) -> Iterator[None]:
    """Restores the attributes of the modules and of `others`, so that a run cannot affect the next one."""
    with ExitStack() as stack:
        stack.enter_context(_calculated_buffers(model))
        for owner in _owners(model, *others):
            stack.enter_context(_attributes(owner))
        yield


@contextmanager
def _calculated_buffers(model: nn.Module) -> Iterator[None]:
    """Restores the buffers that are calculated, such as rotary frequencies that change with the length (longrope).

    Buffers that are saved with the weights are skipped: nothing writes to them in eval mode, and in a quantized model
    they may be the weights.
    """
    buffers = [
        buffer
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name in module._non_persistent_buffers_set and buffer.is_floating_point()  # noqa: SLF001
    ]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.inference_mode():
            for buffer, numbers in zip(buffers, before, strict=True):
                buffer.copy_(numbers)


def _owners(model: nn.Module, *others: object) -> list[object]:
    """The modules, the others, and all configs among their attributes with their parts; each object once."""
    owners: dict[int, object] = {}

    def add(owner: object) -> None:
        if id(owner) in owners:
            return
        owners[id(owner)] = owner
        for value in vars(owner).values():
            if isinstance(value, PretrainedConfig | GenerationConfig):
                add(value)

    for owner in (*model.modules(), *others):
        add(owner)
    return list(owners.values())


@contextmanager
def _attributes(owner: object) -> Iterator[None]:
    """Restores an object's attributes and the content of its containers: a module keeps its hooks in dicts."""
    attributes = vars(owner)
    before = dict(attributes)
    containers = [(value, value.copy()) for value in before.values() if isinstance(value, dict | list | set)]
    try:
        yield
    finally:
        for name in attributes.keys() - before.keys():
            del attributes[name]
        attributes.update(before)
        for container, content in containers:
            _refill(container, content)


def _refill(container: Any, content: Any) -> None:
    container.clear()
    if isinstance(container, list):
        container.extend(content)
    else:
        container.update(content)


@contextmanager
def _backend(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Restores the settings of a fast tokenizer's Rust backend: every call of the tokenizer changes them."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        yield
        return
    padding, truncation, encode_special_tokens = backend.padding, backend.truncation, backend.encode_special_tokens
    try:
        yield
    finally:
        backend.encode_special_tokens = encode_special_tokens
        if padding is None:
            backend.no_padding()
        else:
            backend.enable_padding(**padding)
        if truncation is None:
            backend.no_truncation()
        else:
            backend.enable_truncation(**truncation)


@contextmanager
def _random_numbers(model: nn.Module) -> Iterator[None]:
    """Restores the random states of Python, numpy and torch, including those of the model's CUDA devices."""
    python, of_numpy = random.getstate(), np.random.get_state()
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(of_numpy)
