"""Lends a 16-bit model float32 weights: what it would say without 16-bit rounding, without room for a copy."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import psutil
import torch
from torch import nn
from transformers import PreTrainedModel

from padcheck.hf.architectures import ordinary_ids
from padcheck.hf.capture import captured_warnings
from padcheck.hf.devices import input_device
from padcheck.hf.load_errors import is_out_of_memory, shortened
from padcheck.hf.raising import HALF, Lender

_SHARE_OF_FREE_MEMORY = 0.7

_SLICE = 2**20
"""Numbers of a head that are raised at a time: 4 MiB, which stays in a CPU's cache and costs no new pages."""


class NotOpenError(Exception):
    """A way of running that this model, or this machine, does not have; no fault of either."""


def error_text(error: Exception) -> str:
    """What is kept of an error: its kind as well, unless it only says that a way is not open."""
    return str(error) if isinstance(error, NotOpenError) else f"{type(error).__name__}: {error}"


class Float32View:
    """Runs one model in float32, layer by layer where it can, else as a whole; the first use finds out which."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._whole: bool | None = None
        self._refusal: str | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Within the context the model calculates in float32.

        Raises:
            NotOpenError: It cannot; the text says why.
            Exception: Memory ran out while a layer was raised.
        """
        with in_float32(self._model, whole=self._chosen()):
            yield

    def _chosen(self) -> bool:
        if self._whole is None and self._refusal is None:
            try:
                self._whole = _needs_whole(self._model)
            except NotOpenError as error:
                self._refusal = str(error)
        if self._whole is None:
            raise NotOpenError(self._refusal)
        return self._whole


@contextmanager
def in_float32(model: PreTrainedModel, *, whole: bool = False) -> Iterator[None]:
    """Within the context a 16-bit model calculates in float32: weights are raised while a forward() needs them.

    That is one layer at a time, an element of an nn.ModuleList with all that is in it: a layer may read the weights
    of a module inside it without calling it. Outside of layers, and in a layer whose weights accelerate fetches from
    the CPU or the disk for one module at a time, it is one module at a time.

    Afterwards all parameters, buffers and forward() functions are the objects that they were before, also after an
    error. Gradients do not reach the weights.

    Args:
        model: In 16 bit, in eval mode; generate() and forward() may be called in the context.
        whole: Raises all weights for each forward() of the model. This is for a model in which a module reads a weight
            that is not inside it. It takes as much memory as a copy in float32.

    Raises:
        NotOpenError: The model is not in 16 bit, quantized or compiled; or, where it is `whole`, memory is short or
            weights are fetched one module at a time.
    """
    _require_plain(model)
    if whole:
        _require_room(model)
    lender = Lender()
    with ExitStack() as stack:
        stack.callback(lender.take_back)
        for module, wrap in _whole(model, lender) if whole else _parts(model, lender):
            stack.enter_context(_with_forward(module, wrap))
        yield


def free_memory(device: torch.device) -> int | None:
    """Bytes; None where nobody tells."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available) if device.type == "cpu" else None


_Forward = Callable[..., Any]
_Wrap = Callable[[_Forward], _Forward]


def _whole(model: PreTrainedModel, lender: Lender) -> Iterator[tuple[nn.Module, _Wrap]]:
    yield model, lambda forward: lender.wrapped(forward, model.modules())


def _parts(model: PreTrainedModel, lender: Lender) -> Iterator[tuple[nn.Module, _Wrap]]:
    """The modules whose forward() is wrapped, and how."""
    for module, members in _units(model, set(), in_list=False):
        if not any(tensor.dtype in HALF for member in members for tensor in _own_tensors(member)):
            continue
        function = getattr(_forward_of(module), "__func__", None)
        if members == [module] and function is nn.Embedding.forward and module.max_norm is None:
            yield module, _raised_output
        elif members == [module] and function is nn.Linear.forward:
            yield module, lambda forward, module=module: _in_slices(forward, module)
        else:
            yield module, lambda forward, members=members: lender.wrapped(forward, members)


def _units(module: nn.Module, seen: set[nn.Module], *, in_list: bool) -> Iterator[tuple[nn.Module, list[nn.Module]]]:
    """Modules with a forward(), each with the modules whose weights it needs: layers, and what is outside of them."""
    if module in seen:
        return
    seen.add(module)
    if in_list and _has_forward(module) and not any(_fetches_weights(each) for each in _inner(module)):
        yield module, list(module.modules())
        return
    if _has_forward(module):
        yield module, [module, *_containers_in(module)]
    for child in module.children():
        yield from _units(child, seen, in_list=isinstance(module, nn.ModuleList))


def _containers_in(module: nn.Module) -> Iterator[nn.Module]:
    """What nobody calls, so that its weights are read by the module that it is in: an nn.ParameterList, for one."""
    for child in module.children():
        if not _has_forward(child):
            yield child
            yield from _containers_in(child)


def _has_forward(module: nn.Module) -> bool:
    return getattr(module.forward, "__func__", None) is not nn.Module.forward


def _inner(module: nn.Module) -> Iterator[nn.Module]:
    return (each for each in module.modules() if each is not module)


def _fetches_weights(module: nn.Module) -> bool:
    """True where accelerate puts the weights in place before forward(); they are on the meta device until then."""
    hook = getattr(module, "_hf_hook", None)
    return any(getattr(each, "offload", False) for each in getattr(hook, "hooks", (hook,)))


def _own_tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


def _raised_output(lookup: _Forward) -> _Forward:
    """A row of a table is the same in either precision, so the table itself need not be raised."""

    @wraps(lookup)
    def in_float32(*args: Any, **kwargs: Any) -> torch.Tensor:
        return lookup(*args, **kwargs).float()

    return in_float32


def _in_slices(forward: _Forward, linear: nn.Linear) -> _Forward:
    """A head is the largest matrix of many a model, larger than a layer; its rows do not depend on each other."""

    @wraps(forward)
    def in_float32(input: torch.Tensor) -> torch.Tensor:  # noqa: A002  nn.Linear's name for it
        rows = max(1, _SLICE // linear.in_features)
        weights = linear.weight.split(rows)
        biases = [None] * len(weights) if linear.bias is None else linear.bias.split(rows)
        parts = [
            nn.functional.linear(input, weight.float(), None if bias is None else bias.float())
            for weight, bias in zip(weights, biases, strict=True)
        ]
        return torch.cat(parts, dim=-1)

    return in_float32


@contextmanager
def _with_forward(module: nn.Module, wrap: _Wrap) -> Iterator[None]:
    """Wraps forward() inside of accelerate's hook, which puts the weights in place before it."""
    name = _place_of_forward(module)
    before = {key: value for key, value in vars(module).items() if key == name}
    setattr(module, name, wrap(getattr(module, name)))
    try:
        yield
    finally:
        vars(module).pop(name, None)
        vars(module).update(before)


def _forward_of(module: nn.Module) -> _Forward:
    forward: _Forward = getattr(module, _place_of_forward(module))
    return forward


def _place_of_forward(module: nn.Module) -> str:
    return "_old_forward" if hasattr(module, "_hf_hook") and hasattr(module, "_old_forward") else "forward"


def _needs_whole(model: PreTrainedModel) -> bool:
    reasons = []
    for whole in (False, True):
        try:
            with in_float32(model, whole=whole):
                _probe(model)
        except Exception as error:
            if is_out_of_memory(error) or (isinstance(error, NotOpenError) and not whole):
                raise
            reasons.append(error_text(error) if isinstance(error, NotOpenError) else shortened(error))
        else:
            return whole
    raise NotOpenError(f"layer by layer: {reasons[0]}; as a whole: {reasons[1]}")


def _probe(model: PreTrainedModel) -> None:
    """One forward() of two tokens; what goes wrong in it is raised."""
    input_ids = torch.tensor([ordinary_ids(model.config)[:2]], device=input_device(model))  # (1, 2)
    with torch.inference_mode(), captured_warnings():
        logits = model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits
    if logits.dtype != torch.float32:
        raise RuntimeError(f"the logits come out in {logits.dtype}")


def _require_plain(model: PreTrainedModel) -> None:
    if getattr(model, "is_quantized", False):
        raise NotOpenError("the model is quantized")
    if model.dtype not in HALF:
        raise NotOpenError("the model is not in 16 bit")
    if any(_is_compiled(module) for module in model.modules()):
        raise NotOpenError("the model is compiled")


def _is_compiled(module: nn.Module) -> bool:
    return (
        isinstance(module, torch.jit.ScriptModule)
        or getattr(module, "_compiled_call_impl", None) is not None  # module.compile()
        or hasattr(module, "_orig_mod")  # torch.compile(module)
        or hasattr(module.forward, "_torchdynamo_orig_callable")  # torch.compile(module.forward)
    )


def _require_room(model: PreTrainedModel) -> None:
    """For all weights at once, on each device."""
    needed: dict[torch.device, int] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype in HALF:
            needed[tensor.device] = needed.get(tensor.device, 0) + 4 * tensor.numel()
    if torch.device("meta") in needed:
        raise NotOpenError("weights are fetched for one module at a time")
    for device, size in needed.items():
        free = free_memory(device)
        if free is not None and size > _SHARE_OF_FREE_MEMORY * free:
            raise NotOpenError(f"{size / 2**30:.1f} GiB are needed, and {free / 2**30:.1f} GiB are free")
