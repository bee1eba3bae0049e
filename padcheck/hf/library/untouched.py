"""Restores the user's model and tokenizer after measuring, and a model between two runs."""

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase


@contextmanager
def untouched(model: nn.Module, tokenizer: PreTrainedTokenizerBase, *others: object) -> Iterator[None]:
    """Restores model, tokenizer, `others` and all random states when the context ends, also after an exception.

    Restored for every module: the training flag, hooks, parameters, buffers and configs, the content of dicts, lists,
    sets and deques, also nested ones, and the numbers in buffers and in other tensors that are not weights. Attributes
    that generate() adds, such as a static cache, are removed. The numbers in weights and gradients are not copied,
    because a copy would double the memory: all runs use inference mode, in which only a hook could write to them.
    """
    with same_random_numbers(), untouched_state(model, tokenizer, *others), _backend(tokenizer):
        yield


@contextmanager
def untouched_state(model: nn.Module, *others: object) -> Iterator[None]:
    """Restores the attributes of the modules and of `others`, so that a run cannot affect the next one."""
    before: list[tuple[Callable[[Any, Any], None], Any, Any]] = []
    for value in _parts(model, *others):
        if isinstance(value, torch.Tensor):
            before.append((_restore_numbers, value, value.detach().clone()))
        else:
            before.append((_restore_content, value, dict(value) if isinstance(value, dict) else list(value)))
    try:
        yield
    finally:
        for restore, value, content in before:
            restore(value, content)


def _parts(model: nn.Module, *others: object) -> Iterator[Any]:
    """Everything in the modules and in `others` that can change in place, once each: containers and tensors.

    An object with attributes is a dict of them. Only modules, configs and `others` are looked into.
    """
    owners = [*model.modules(), *others]
    entered = {id(owner) for owner in owners}
    copied = _copied_tensors(model)
    todo, seen = list[Any](owners), dict[int, Any]()
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        if isinstance(value, nn.Module | PretrainedConfig | GenerationConfig) or id(value) in entered:
            todo.append(vars(value))
        elif isinstance(value, dict):
            todo.extend(value.values())
            yield value
        elif isinstance(value, list | set | deque):
            todo.extend(value)
            yield value
        elif isinstance(value, tuple):
            todo.extend(value)
        elif isinstance(value, torch.Tensor):
            if copied(value):
                yield value
        else:
            continue
        seen[id(value)] = value


def _copied_tensors(model: nn.Module) -> Callable[[torch.Tensor], bool]:
    """True for a tensor whose numbers are restored: not for a weight.

    In a quantized model, any tensor may hold weights, except for the buffers that are calculated, such as rotary
    frequencies, which change with the length (longrope).
    """
    calculated = {
        id(buffer)
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name in module._non_persistent_buffers_set  # noqa: SLF001
    }
    is_quantized = any(getattr(module, "is_quantized", False) for module in model.modules())

    def is_copied(tensor: torch.Tensor) -> bool:
        if type(tensor) is not torch.Tensor or tensor.is_meta or tensor.layout is not torch.strided:
            return False  # parameters, and tensors that cannot be compared
        return id(tensor) in calculated or not is_quantized

    return is_copied


def _restore_numbers(tensor: torch.Tensor, before: torch.Tensor) -> None:
    # An unchanged tensor is not written to: backward() would refuse a graph that was made with it before.
    if not torch.equal(tensor, before):
        with torch.inference_mode():
            tensor.copy_(before)


def _restore_content(container: Any, before: Any) -> None:
    """Refills a container that has changed, with the methods of the base class: ModelOutput forbids update()."""
    if _ids(container) == _ids(before):
        return
    if isinstance(container, dict):
        kind = OrderedDict if isinstance(container, OrderedDict) else dict
        kind.clear(container)
        kind.update(container, before)
    else:
        container.clear()
        add_all = container.update if isinstance(container, set) else container.extend
        add_all(before)


def _ids(container: Any) -> list[int]:
    """The identity of everything in a container, in order."""
    values = container.values() if isinstance(container, dict) else ()
    return [id(each) for each in (*container, *values)]


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
def same_random_numbers() -> Iterator[None]:
    """Restores the random states of Python, numpy and torch, on the CPU and on every accelerator in use."""
    before = [(put_back, get()) for get, put_back in _random_states()]
    try:
        yield
    finally:
        for put_back, state in before:
            put_back(state)


def _random_states() -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """Pairs of functions: one returns a random state, the other one sets it."""
    yield random.getstate, random.setstate
    yield np.random.get_state, np.random.set_state
    yield torch.get_rng_state, torch.set_rng_state
    for accelerator in (torch.cuda, torch.xpu):
        if accelerator.is_initialized():
            yield accelerator.get_rng_state_all, accelerator.set_rng_state_all
    if torch.backends.mps.is_available():
        yield torch.mps.get_rng_state, torch.mps.set_rng_state
