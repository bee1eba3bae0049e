"""Raises the 16-bit weights of a module to float32 for the length of a call, in memory that all modules share."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from torch import nn

from padcheck.hf.float32.half_precision import HALF

Slots = list[dict[str, Any]]
"""The dicts in which the modules of a unit hold their parameters and buffers."""

_ALIGNED = 16
"""Numbers; 64 bytes of float32, which is what torch's own allocator gives."""

_SMALL = 2**16
"""Numbers; up to so many, new memory is as quick as shared memory."""


@dataclass
class _Loan:
    """The float32 tensors that stand in a unit's slots, each with the 16-bit tensor that it stands for.

    `by_id` has the id of the float32 tensor as key; the tensor is kept beside it so that the id stays its own.
    """

    slots: Slots
    by_id: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)


class Lender:
    """Puts float32 tensors in the place of 16-bit ones while a call runs, and the same 16-bit objects back after it.

    Calls nest: an outer module may hold weights while its layers run. Calls of one depth never overlap, so they share
    one buffer on each device, as large as the largest of them needs. New memory for each call would be slower than the
    conversion: the system has to clear each page.

    What a call writes into a raised tensor is lost at its end. What it puts into a slot itself stays there.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[torch.device, int], torch.Tensor] = {}
        self._loans: list[_Loan] = []

    def wrapped(self, function: Callable[..., Any], modules: Iterable[nn.Module]) -> Callable[..., Any]:
        """`function`, during which the weights of `modules` are in float32."""
        slots = _slots(modules)

        @wraps(function)
        def in_float32(*args: Any, **kwargs: Any) -> Any:
            depth = len(self._loans)
            try:
                self._lend(slots)
                return function(*args, **kwargs)
            finally:
                self.take_back(depth)

        return in_float32

    def lend(self, modules: Iterable[nn.Module]) -> None:
        """Raises the weights of `modules` until they are taken back."""
        self._lend(_slots(modules))

    def take_back(self, depth: int = 0) -> None:
        """Ends all calls from `depth` on."""
        while len(self._loans) > depth:
            _restore(self._loans[-1])
            self._loans.pop()
            self._let_go_of_what_is_kept(len(self._loans))

    def _lend(self, slots: Slots) -> None:
        loan = _Loan(slots)
        self._loans.append(loan)
        with torch.inference_mode(mode=False), torch.no_grad():  # what is made in inference mode cannot leave it
            raised = self._raise(loan)
        for held in slots:
            for name, tensor in held.items():
                if id(tensor) in raised:
                    held[name] = raised[id(tensor)]

    def _raise(self, loan: _Loan) -> dict[int, torch.Tensor]:
        """The float32 tensors, by the id of the 16-bit one. Weights that are tied stay so."""
        found = {id(each): each for held in loan.slots for each in held.values() if _can_be_raised(each)}
        raised = dict(zip(found, self._raised(list(found.values())), strict=True))
        loan.by_id = {id(new): (new, found[old_id]) for old_id, new in raised.items()}
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
        """At least so many numbers, of any value."""
        key = (device, len(self._loans))
        if numbers <= _SMALL:
            return torch.empty(numbers, dtype=torch.float32, device=device)
        if key not in self._buffers or self._buffers[key].numel() < numbers:
            self._buffers.pop(key, None)  # before there is a larger one
            self._buffers[key] = torch.empty(numbers, dtype=torch.float32, device=device)
        return self._buffers[key]

    def _let_go_of_what_is_kept(self, depth: int) -> None:
        """Forgets a buffer of which somebody still has a part: a module may return a slice of its weight."""
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
    """How many it takes of a buffer: none where it is of a subclass, such as the DTensor of tensor parallelism."""
    return tensor.numel() if _is_plain(tensor) else 0


def _raised(tensor: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    new = memory.view(tensor.shape).copy_(tensor) if _is_plain(tensor) else tensor.detach().float()
    return nn.Parameter(new, requires_grad=False) if isinstance(tensor, nn.Parameter) else new


def _restore(loan: _Loan) -> None:
    for held in loan.slots:
        for name, tensor in held.items():
            if id(tensor) in loan.by_id:
                held[name] = loan.by_id[id(tensor)][1]


def _references(tensor: torch.Tensor) -> int:
    """How many tensors share its memory; one more for the object that is asked."""
    return int(torch._C._storage_Use_Count(tensor.untyped_storage()._cdata))  # noqa: SLF001


_REFERENCES_OF_A_NEW_ONE = _references(torch.empty(1))
