"""Temporarily replaces the weights of a 16-bit model by float32 ones, so that it runs without 16-bit rounding.

Usually only a part of the weights is in float32 at a time, so there need not be room for a copy of the model.
"""

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
from padcheck.hf.float32.raising import Raiser
from padcheck.hf.library.devices import input_device
from padcheck.hf.library.exceptions import NotOpenError, is_out_of_memory, shortened
from padcheck.hf.library.untouched import untouched_state
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.toys.architectures import ordinary_ids

__all__ = ["AtOnce", "Float32View", "free_memory", "in_float32"]

Probe = Callable[..., torch.Tensor]
"""Calls a model with input_ids and attention_mask, and returns floating point numbers that it gives."""

AtOnce = Literal["part", "outside", "whole"]
"""What is in float32 at a time.

- part: one layer, or one module outside of layers.
- outside: one layer, and everything outside of layers.
- whole: all weights.
"""

_SHARE_OF_FREE_MEMORY = 0.7

_FIRST = "_first_in_float32"


class Float32View:
    """Runs a model in float32, with as few float32 weights at a time as possible. The first use finds out how few.

    Args:
        model: In 16 bit and in eval mode.
        probes: The calls that must work in float32, the most demanding first; None for those of a language model.
    """

    def __init__(self, model: PreTrainedModel, probes: tuple[Probe, ...] | None = None) -> None:
        self._model = model
        self._probes = probes or (_generate, _forward)
        self._at_once: AtOnce | None = None
        self._refusal: str | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Within the context the model calculates in float32.

        Raises:
            NotOpenError: It cannot. The text says why.
            Exception: Memory ran out while weights were raised.
        """
        with in_float32(self._model, at_once=self._chosen()):
            yield

    def _chosen(self) -> AtOnce:
        if self._at_once is None and self._refusal is None:
            try:
                self._at_once = _smallest_that_works(self._model, self._probes)
            except NotOpenError as error:
                self._refusal = str(error)
        if self._at_once is None:
            raise NotOpenError(self._refusal)
        return self._at_once


@contextmanager
def in_float32(model: PreTrainedModel, *, at_once: AtOnce = "part") -> Iterator[None]:
    """Within the context a 16-bit model calculates in float32: its weights are replaced while a forward() needs them.

    One part is replaced at a time. A layer is a part: an element of an nn.ModuleList with everything inside it, since a
    layer may read the weights of an inner module without calling it. Outside of layers each module is a part. If
    accelerate fetches the weights of a layer from the CPU or the disk one module at a time, each of its modules is a
    part too.

    Afterwards all parameters, buffers and forward() functions are the same objects as before, also after an error.
    `model.dtype` is float32 in the context. Gradients do not reach the weights.

    Args:
        model: In 16 bit and in eval mode. generate() and forward() may be called in the context.
        at_once: "part" is enough for most models. "outside" keeps everything outside of layers in float32 throughout
            the context, for a model that casts to the dtype of a weight there before it calls the module that owns it.
            "whole" keeps all weights in float32, for a model that reads the weights of a layer from outside. It takes
            as much memory as a float32 copy.

    Raises:
        NotOpenError: The model is not in 16 bit, or is quantized or compiled; there is not enough memory for the
            weights outside of layers or for all weights; or all weights are needed at once and accelerate fetches them
            one module at a time.
    """
    _require_plain(model)
    raiser = Raiser()
    with ExitStack() as stack:
        stack.callback(raiser.restore)
        if at_once != "whole":
            for module, wrap in parts(model, raiser):
                stack.enter_context(_with_forward(module, wrap))
        if at_once != "part":
            members = list(model.modules() if at_once == "whole" else outside_of_layers(model))
            _require_room(members, fetched=at_once == "outside")
            raiser.replace(members)
        stack.enter_context(_with_dtype(model))
        yield


def free_memory(device: torch.device) -> int | None:
    """Free memory in bytes; None if it is unknown."""
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

    A model makes masks and caches in this dtype. It is the dtype of its first parameter, so an empty float32 parameter
    is put before the others.
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


def _smallest_that_works(model: PreTrainedModel, probes: tuple[Probe, ...]) -> AtOnce:
    """The smallest choice that the first probe works with; if it works with none, the same for the next probe."""
    reasons: list[str] = []
    for probe in probes:
        for at_once in get_args(AtOnce):
            reason = _reason_against(model, probe, at_once)
            if reason is None:
                choice: AtOnce = at_once
                return choice
            reasons.append(reason)
    raise NotOpenError(f"layer by layer: {reasons[-3]}; as a whole: {reasons[-1]}")


def _reason_against(model: PreTrainedModel, probe: Probe, at_once: AtOnce) -> str | None:
    """Why the model cannot calculate in float32 this way; None if it can. Raises an error that no other way avoids."""
    try:
        with in_step(), in_float32(model, at_once=at_once):
            _require_float32(model, probe, strict=at_once != "whole")
    except Exception as error:
        if is_out_of_memory(error) or (isinstance(error, NotOpenError) and at_once == "part"):
            raise
        return str(error) if isinstance(error, NotOpenError) else shortened(error)
    return None


def _require_float32(model: PreTrainedModel, probe: Probe, *, strict: bool) -> None:
    """Runs two tokens, and raises if that fails; if `strict`, also if anything is calculated in 16 bit."""
    input_ids = torch.tensor([ordinary_ids(model.config)[:2]], device=input_device(model))  # (1, 2)
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        stack.enter_context(captured_warnings())
        stack.enter_context(untouched_state(model))
        # Fetching weights may itself round to 16 bit, which would look like a calculation in 16 bit.
        if strict and not any(map(fetches_weights, model.modules())):
            stack.enter_context(NothingInHalf())  # type: ignore[no-untyped-call]
        logits = probe(model, input_ids=input_ids, attention_mask=torch.ones_like(input_ids))
    if logits.dtype != torch.float32:
        raise RuntimeError(f"the logits come out in {logits.dtype}")


def _forward(model: PreTrainedModel, **inputs: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(**inputs).logits
    return logits


def _generate(model: PreTrainedModel, **inputs: torch.Tensor) -> torch.Tensor:
    """Also runs generate(), which may choose another dtype for caches and masks."""
    with neutral_generation_config(model, None):
        model.generate(**inputs, max_new_tokens=2, min_new_tokens=2)
    return _forward(model, **inputs)


def _require_plain(model: PreTrainedModel) -> None:
    # The weights of a GGUF file are no longer quantized once they are loaded.
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
    """Raises if a device has no room for float32 copies of all weights of `modules`.

    Weights that accelerate fetches one module at a time need no room, but are refused unless `fetched`.
    """
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
