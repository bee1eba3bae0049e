"""Splits a model into the parts that are raised to float32 one at a time: layers, and the modules outside of them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import Any

import torch
from torch import nn

from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.float32.raising import Raiser

Forward = Callable[..., Any]
Wrap = Callable[[Forward], Forward]

_SLICE = 2**20
"""How many numbers of a head are raised at a time: 4 MiB, which fits into a CPU's cache and needs no new pages."""


def parts(model: nn.Module, raiser: Raiser) -> Iterator[tuple[nn.Module, Wrap]]:
    """The modules whose forward() is wrapped, each with the function that wraps it."""
    for module, is_layer in _layers_and_others(model, set(), in_list=False):
        members = list(module.modules()) if is_layer else [module, *_containers_in(module)]
        if not any(tensor.dtype in HALF for tensor in own_tensors(members)) or not _has_forward(module):
            continue
        function = getattr(getattr(module, place_of_forward(module)), "__func__", None)
        if is_layer:
            yield module, partial(raiser.wrapped, modules=members)
        elif isinstance(module, nn.Embedding) and function is nn.Embedding.forward and module.max_norm is None:
            yield module, _raised_output
        elif isinstance(module, nn.Linear) and function is nn.Linear.forward:
            yield module, partial(_in_slices, linear=module)
        else:
            yield module, partial(raiser.wrapped, modules=members)


def outside_of_layers(model: nn.Module) -> Iterator[nn.Module]:
    """The modules that are neither layers nor in one."""
    return (module for module, is_layer in _layers_and_others(model, set(), in_list=False) if not is_layer)


def _layers_and_others(module: nn.Module, seen: set[nn.Module], *, in_list: bool) -> Iterator[tuple[nn.Module, bool]]:
    """All modules except those inside of layers, each with a flag that is True for a layer."""
    if module in seen:
        return
    seen.add(module)
    is_layer = in_list and _has_forward(module) and not any(map(fetches_weights, _inside(module)))
    yield module, is_layer
    if not is_layer:
        for child in module.children():
            yield from _layers_and_others(child, seen, in_list=isinstance(module, nn.ModuleList))


def _inside(module: nn.Module) -> Iterator[nn.Module]:
    return (each for each in module.modules() if each is not module)


def _containers_in(module: nn.Module) -> Iterator[nn.Module]:
    """Modules without a forward(), such as an nn.ParameterList. The module that contains them reads their weights."""
    for child in module.children():
        if not _has_forward(child):
            yield child
            yield from _containers_in(child)


def _has_forward(module: nn.Module) -> bool:
    return getattr(module.forward, "__func__", None) is not nn.Module.forward


def fetches_weights(module: nn.Module) -> bool:
    """True if accelerate loads the weights just before forward(). Until then they are on the meta device."""
    hook = getattr(module, "_hf_hook", None)
    return any(getattr(each, "offload", False) for each in getattr(hook, "hooks", (hook,)))


def own_tensors(modules: Iterable[nn.Module]) -> Iterator[torch.Tensor]:
    """The parameters and buffers of these modules, without those of their children; each once."""
    seen = {
        id(tensor): tensor
        for module in modules
        for tensors in (module.parameters(recurse=False), module.buffers(recurse=False))
        for tensor in tensors
    }
    yield from seen.values()


def _raised_output(lookup: Forward) -> Forward:
    """Raises only the rows that were looked up, which gives the same numbers as raising the whole table."""

    @wraps(lookup)
    def in_float32(*args: Any, **kwargs: Any) -> torch.Tensor:
        rows: torch.Tensor = lookup(*args, **kwargs)
        return rows.float()

    return in_float32


def _in_slices(forward: Forward, linear: nn.Linear) -> Forward:
    """Raises a few rows at a time. A head is often larger than a layer, and its rows do not depend on each other."""

    @wraps(forward)
    def in_float32(input: torch.Tensor) -> torch.Tensor:  # noqa: A002  nn.Linear's name for it
        rows = max(1, _SLICE // linear.in_features)
        weights = torch.split(linear.weight, rows)
        biases = [None] * len(weights) if linear.bias is None else torch.split(linear.bias, rows)
        parts = [
            nn.functional.linear(input, weight.float(), None if bias is None else bias.float())
            for weight, bias in zip(weights, biases, strict=True)
        ]
        return torch.cat(parts, dim=-1)

    return in_float32


def place_of_forward(module: nn.Module) -> str:
    """The attribute that holds the module's own forward(). A hook of accelerate wraps it to load the weights first."""
    return "_old_forward" if hasattr(module, "_hf_hook") and hasattr(module, "_old_forward") else "forward"
