"""Lends a 16-bit model float32 weights: what it would say without 16-bit rounding, without room for a copy."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, get_args

import psutil
import torch
from torch import nn
from transformers import PreTrainedModel

from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.float32.half_precision import HALF, NothingInHalf
from padcheck.hf.float32.parts import Wrap, fetches_weights, outside_of_layers, own_tensors, parts, place_of_forward
from padcheck.hf.float32.raising import Lender
from padcheck.hf.library.devices import input_device
from padcheck.hf.library.exceptions import is_out_of_memory, shortened
from padcheck.hf.library.untouched import untouched_state
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.toys.architectures import ordinary_ids

__all__ = ["HALF", "AtOnce", "Float32View", "NotOpenError", "error_text", "free_memory", "in_float32"]

AtOnce = Literal["part", "outside", "whole"]
"""What is in float32 at a time: a part (a layer, or a module outside of layers); all that is outside of layers, and a
layer; or all weights."""

_SHARE_OF_FREE_MEMORY = 0.7

_FIRST = "_first_in_float32"


class NotOpenError(Exception):
    """A way of running that this model, or this machine, does not have; no fault of either."""


def error_text(error: Exception) -> str:
    """What is kept of an error: its kind as well, unless it only says that a way is not open."""
    return str(error) if isinstance(error, NotOpenError) else f"{type(error).__name__}: {error}"


class Float32View:
    """Runs one model in float32, with as little in float32 at a time as it allows; the first use finds out how much."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._at_once: AtOnce | None = None
        self._refusal: str | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Within the context the model calculates in float32.

        Raises:
            NotOpenError: It cannot; the text says why.
            Exception: Memory ran out while weights were raised.
        """
        with in_float32(self._model, at_once=self._chosen()):
            yield

    def _chosen(self) -> AtOnce:
        if self._at_once is None and self._refusal is None:
            try:
                self._at_once = _smallest_that_works(self._model)
            except NotOpenError as error:
                self._refusal = str(error)
        if self._at_once is None:
            raise NotOpenError(self._refusal)
        return self._at_once


@contextmanager
def in_float32(model: PreTrainedModel, *, at_once: AtOnce = "part") -> Iterator[None]:
    """Within the context a 16-bit model calculates in float32: weights are raised while a forward() needs them.

    That is one part at a time. A layer is a part: an element of an nn.ModuleList with all that is in it, since it may
    read the weights of a module inside it without calling it. Outside of layers each module is a part, and so it is in
    a layer for which accelerate fetches weights from the CPU or the disk, one module at a time.

    Afterwards all parameters, buffers and forward() functions are the objects that they were before, also after an
    error. `model.dtype` is float32 in the context. Gradients do not reach the weights.

    Args:
        model: In 16 bit, in eval mode; generate() and forward() may be called in the context.
        at_once: What is not a part stays in float32 throughout the context. "outside" is for a model that casts to the
            dtype of a weight outside of layers before it calls the module that owns it; "whole" is for one that reads
            the weights of a layer from outside, and takes as much memory as a copy in float32.

    Raises:
        NotOpenError: The model is not in 16 bit, or quantized or compiled; memory is short for what is raised besides
            the layers; or weights are fetched one module at a time, and all are wanted at once.
    """
    _require_plain(model)
    lender = Lender()
    with ExitStack() as stack:
        stack.callback(lender.take_back)
        if at_once != "whole":
            for module, wrap in parts(model, lender):
                stack.enter_context(_with_forward(module, wrap))
        if at_once != "part":
            members = list(model.modules() if at_once == "whole" else outside_of_layers(model))
            _require_room(members, fetched=at_once == "outside")
            lender.lend(members)
        stack.enter_context(_with_dtype(model))
        yield


def free_memory(device: torch.device) -> int | None:
    """Bytes; None where nobody tells."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available) if device.type == "cpu" else None


@contextmanager
def _with_forward(module: nn.Module, wrap: Wrap) -> Iterator[None]:
    name = place_of_forward(module)
    before = {key: value for key, value in vars(module).items() if key == name}
    wrapped = wrap(getattr(module, name))
    try:
        setattr(module, name, wrapped)
        yield
    finally:
        vars(module).pop(name, None)
        vars(module).update(before)


@contextmanager
def _with_dtype(model: nn.Module) -> Iterator[None]:
    """Within the context `dtype` of the model and of the models in it is float32.

    It is that of the first parameter, so an empty one is put before the others. Masks and caches are made with it.
    """
    models = [each for each in model.modules() if isinstance(each, PreTrainedModel) and not fetches_weights(each)]
    with ExitStack() as stack:
        for each in models:
            own = each._parameters  # noqa: SLF001
            first = nn.Parameter(torch.empty(0, device=each.device, dtype=torch.float32), requires_grad=False)
            others = dict(own)
            stack.callback(own.pop, _FIRST, None)
            own.clear()
            own.update({_FIRST: first, **others})
        yield


def _smallest_that_works(model: PreTrainedModel) -> AtOnce:
    """For generate(), or for forward() alone where generate() does not run in any way."""
    reasons: list[str] = []
    for probe in (_generate, _forward):
        for at_once in get_args(AtOnce):
            reason = _reason_against(model, probe, at_once)
            if reason is None:
                choice: AtOnce = at_once
                return choice
            reasons.append(reason)
    raise NotOpenError(f"layer by layer: {reasons[-3]}; as a whole: {reasons[-1]}")


def _reason_against(model: PreTrainedModel, probe: Callable[..., torch.Tensor], at_once: AtOnce) -> str | None:
    """None where the model calculates in float32; what this model has in no way at all is raised."""
    try:
        with in_step(), in_float32(model, at_once=at_once):
            _require_float32(model, probe, strict=at_once != "whole")
    except Exception as error:
        if is_out_of_memory(error) or (isinstance(error, NotOpenError) and at_once == "part"):
            raise
        return str(error) if isinstance(error, NotOpenError) else shortened(error)
    return None


def _require_float32(model: PreTrainedModel, probe: Callable[..., torch.Tensor], *, strict: bool) -> None:
    """Runs two tokens; what goes wrong is raised, and where it is `strict`, so is what is calculated in 16 bit."""
    input_ids = torch.tensor([ordinary_ids(model.config)[:2]], device=input_device(model))  # (1, 2)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        stack.enter_context(captured_warnings())
        stack.enter_context(untouched_state(model))
        # Weights that are fetched may be rounded to 16 bit on the way, which looks the same.
        if strict and not any(map(fetches_weights, model.modules())):
            stack.enter_context(NothingInHalf())  # type: ignore[no-untyped-call]
        logits = probe(model, input_ids=input_ids, attention_mask=torch.ones_like(input_ids))
    if logits.dtype != torch.float32:
        raise RuntimeError(f"the logits come out in {logits.dtype}")


def _forward(model: PreTrainedModel, **inputs: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(**inputs).logits
    return logits


def _generate(model: PreTrainedModel, **inputs: torch.Tensor) -> torch.Tensor:
    """It may choose another dtype for caches and masks."""
    with neutral_generation_config(model, None):
        model.generate(**inputs, max_new_tokens=2, min_new_tokens=2)
    return _forward(model, **inputs)


def _require_plain(model: PreTrainedModel) -> None:
    # The weights of a GGUF file are as in any other model once they are loaded.
    if getattr(model, "is_quantized", False) and getattr(model, "quantization_method", None) != "gguf":
        raise NotOpenError("the model is quantized")
    if model.dtype not in HALF:
        raise NotOpenError("the model is not in 16 bit")
    if any(map(_is_compiled, model.modules())):
        raise NotOpenError("the model is compiled")


def _is_compiled(module: nn.Module) -> bool:
    return (
        isinstance(module, torch.jit.ScriptModule)
        or getattr(module, "_compiled_call_impl", None) is not None  # module.compile()
        or hasattr(module, "_orig_mod")  # torch.compile(module)
        or hasattr(module.forward, "_torchdynamo_orig_callable")  # torch.compile(module.forward)
    )


def _require_room(modules: list[nn.Module], *, fetched: bool) -> None:
    """On each device for all weights at once, but for those that are fetched one module at a time, if these may be."""
    needed: dict[torch.device, int] = {}
    for tensor in own_tensors(modules):
        if tensor.dtype in HALF:
            needed[tensor.device] = needed.get(tensor.device, 0) + 4 * tensor.numel()
    if needed.pop(torch.device("meta"), None) and not fetched:
        raise NotOpenError("weights are fetched one module at a time")
    for device, size in needed.items():
        free = free_memory(device)
        if free is not None and size > _SHARE_OF_FREE_MEMORY * free:
            raise NotOpenError(f"{size / 2**30:.1f} GiB are needed, and {free / 2**30:.1f} GiB are free")
