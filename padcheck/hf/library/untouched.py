"""Objects that belong to somebody else, handed back as they were, whatever happens in between."""

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
    """After the context, model, tokenizer and the state of all random numbers are as they were before it.

    Of every module that is all it holds: training flag, hooks, the same parameters and buffers, configs, and what
    generate() leaves behind, such as a static cache, and the numbers in buffers that are calculated and not loaded.
    Weights and gradients are not copied: nothing writes to them in inference mode, in which all arms run.
    """
    with _random_numbers(model), untouched_state(model, tokenizer), _backend(tokenizer):
        yield


@contextmanager
def untouched_state(model: nn.Module, *others: object) -> Iterator[None]:
    """The same of what the modules hold, and of other objects: a run leaves no trace that the next one could see."""
    with ExitStack() as stack:
        stack.enter_context(_calculated_buffers(model))
        for owner in _owners(model, *others):
            stack.enter_context(_attributes(owner))
        yield


@contextmanager
def _calculated_buffers(model: nn.Module) -> Iterator[None]:
    """Rotary frequencies that depend on the length (longrope) are written in place.

    Buffers that are saved with the weights are left out: nothing writes to them in eval mode, and in a quantized model
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
    """The modules and the others, and the configs that they hold with all their parts, each once."""
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
    """What an object's attributes are, and what is in those that are containers: a module keeps its hooks in dicts."""
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
    """What a fast tokenizer's own core was told to do: every call of the tokenizer tells it anew."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        yield
        return
    padding, truncation, spells_out = backend.padding, backend.truncation, backend.encode_special_tokens
    try:
        yield
    finally:
        backend.encode_special_tokens = spells_out
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
    """The state of Python's, numpy's and torch's generators, the latter also on the model's CUDA devices."""
    python, of_numpy = random.getstate(), np.random.get_state()
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(of_numpy)
