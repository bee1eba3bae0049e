"""Temporarily replaces the 16-bit weights of a module by float32 ones during a call, in memory that modules share."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from torch import nn

from padcheck.hf.float32.half_precision import HALF

Slots = list[dict[str, Any]]
"""The dicts that hold the parameters and buffers of some modules."""

_ALIGNED = 16
"""Alignment in numbers: 64 bytes of float32, as in torch's own allocator."""

_SMALL = 2**16
"""Up to this many numbers, new memory is as fast as shared memory."""


@dataclass
class _Replaced:
    """The float32 tensors that are in some slots now, and the 16-bit tensors that they replace.

    `by_id` maps the id of each float32 tensor to both tensors. It holds the float32 tensor so that the id stays unique.
    """

    slots: Slots
    by_id: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)


class Raiser:
    """Temporarily replaces 16-bit tensors by float32 ones while a call runs, then puts the same 16-bit objects back.

    Calls nest: an outer module may hold raised weights while its layers run. Calls of one depth never overlap, so they
    share one buffer per device, which is as large as the largest call needs. New memory for each call would take longer
    than the conversion, because the system has to clear each page.

    What a call writes into a raised tensor is lost when the call ends. A new tensor that it puts into a slot stays.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[torch.device, int], torch.Tensor] = {}
        self._replaced: list[_Replaced] = []

    def wrapped(self, function: Callable[..., Any], modules: Iterable[nn.Module]) -> Callable[..., Any]:
        """`function`, with the weights of `modules` in float32 while it runs."""
        slots = _slots(modules)

        @wraps(function)
        def in_float32(*args: Any, **kwargs: Any) -> Any:
            depth = len(self._replaced)
            try:
                self._replace(slots)
                return function(*args, **kwargs)
            finally:
                self.restore(depth)

        return in_float32

    def replace(self, modules: Iterable[nn.Module]) -> None:
        """Raises the weights of `modules` until restore() is called."""
        self._replace(_slots(modules))

    def restore(self, depth: int = 0) -> None:
        """Puts back the 16-bit weights of all calls from `depth` on."""
        while len(self._replaced) > depth:
            _put_back(self._replaced[-1])
            self._replaced.pop()
            self._drop_buffers_in_use(len(self._replaced))

    def _replace(self, slots: Slots) -> None:
        replaced = _Replaced(slots)
        self._replaced.append(replaced)
        with torch.inference_mode(mode=False), torch.no_grad():  # tensors made in inference mode cannot be used outside
            raised = self._raise(replaced)
        for held in slots:
            for name, tensor in held.items():
                if id(tensor) in raised:
                    held[name] = raised[id(tensor)]

    def _raise(self, replaced: _Replaced) -> dict[int, torch.Tensor]:
        """The float32 tensors, by the id of the 16-bit tensor. Tied weights stay tied."""
        found = {id(each): each for held in replaced.slots for each in held.values() if _can_be_raised(each)}
        raised = dict(zip(found, self._raised(list(found.values())), strict=True))
        replaced.by_id = {id(new): (new, found[old_id]) for old_id, new in raised.items()}
        return raised

    def _raised(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        ends: defaultdict[torch.device, int] = defaultdict(int)
        starts = []
        for tensor in tensors:
            starts.append(ends[tensor.device])
            ends[tensor.device] += -(-_numbers(tensor) // _ALIGNED) * _ALIGNED
        buffers = {device: self._buffer(device, numbers) for device, numbers in ends.items()}
        return [
            _raised(tensor, buffers[tensor.device].narrow(0, start, _numbers(tensor)))
            for tensor, start in zip(tensors, starts, strict=True)
        ]

    def _buffer(self, device: torch.device, numbers: int) -> torch.Tensor:
        """Memory for at least this many numbers, not initialized."""
        key = (device, len(self._replaced))
        if numbers <= _SMALL:
            return torch.empty(numbers, dtype=torch.float32, device=device)
        if key not in self._buffers or self._buffers[key].numel() < numbers:
            self._buffers.pop(key, None)  # frees it before the larger one is made
            self._buffers[key] = torch.empty(numbers, dtype=torch.float32, device=device)
        return self._buffers[key]

    def _drop_buffers_in_use(self, depth: int) -> None:
        """Forgets the buffers that other tensors still share: a module may return a slice of its weight."""
        for key in [key for key in self._buffers if key[1] == depth + 1]:
            if _references(self._buffers[key]) > _REFERENCES_OF_A_NEW_ONE:
                del self._buffers[key]


def _slots(modules: Iterable[nn.Module]) -> Slots:
    return [held for module in modules for held in (module._parameters, module._buffers) if held]  # noqa: SLF001


def _can_be_raised(tensor: torch.Tensor | None) -> bool:
    return tensor is not None and tensor.dtype in HALF and tensor.device.type != "meta"


def _is_plain(tensor: torch.Tensor) -> bool:
    return type(tensor) in {nn.Parameter, torch.Tensor}


def _numbers(tensor: torch.Tensor) -> int:
    """How many numbers it needs in a buffer; none for a subclass, such as the DTensor of tensor parallelism."""
    return tensor.numel() if _is_plain(tensor) else 0


def _raised(tensor: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    new = memory.view(tensor.shape).copy_(tensor) if _is_plain(tensor) else tensor.detach().float()
    return nn.Parameter(new, requires_grad=False) if isinstance(tensor, nn.Parameter) else new


def _put_back(replaced: _Replaced) -> None:
    for held in replaced.slots:
        for name, tensor in held.items():
            if id(tensor) in replaced.by_id:
                held[name] = replaced.by_id[id(tensor)][1]


def _references(tensor: torch.Tensor) -> int:
    """How many tensors share its memory, plus one for the storage object made here."""
    return int(torch._C._storage_Use_Count(tensor.untyped_storage()._cdata))  # noqa: SLF001


_REFERENCES_OF_A_NEW_ONE = _references(torch.empty(1))
