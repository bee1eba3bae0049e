"""Follows which column of the batch each number of a tensor belongs to, through one operation of torch.

A slot is the number `row * width + column`. Each followed tensor has a tensor of slots of the same shape, mostly
expanded and so without memory. NO_SLOT stands for a number that was computed from several columns, or from none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

NO_SLOT = -1

_MOVES = {
    *("__getitem__", "select", "narrow", "index_select", "gather", "take_along_dim", "masked_select", "unbind"),
    *("unsqueeze", "squeeze", "view", "reshape", "flatten", "unflatten", "view_as", "reshape_as", "__get__"),
    *("transpose", "permute", "t", "movedim", "moveaxis", "swapaxes", "swapdims", "adjoint"),
    *("flip", "roll", "split", "chunk", "tensor_split", "expand", "expand_as", "repeat", "repeat_interleave", "tile"),
    *("cat", "concat", "concatenate", "stack", "hstack", "vstack", "diagonal", "contiguous", "clone"),
}
"""Operations that only move numbers: the slots move in the same way."""

_REDUCTIONS = {
    *("sum", "nansum", "mean", "nanmean", "prod", "max", "min", "amax", "amin", "argmax", "argmin", "median"),
    *("logsumexp", "var", "std", "any", "all", "count_nonzero", "topk"),
}
"""Operations that make one number of several along some dimensions."""

_REDUCED_ALONG = {"cross_entropy": (1,), "nll_loss": (1,), "linear": (-1,)}
"""Operations that always reduce the same dimension of their first argument; a loss may then reduce all."""

_PRODUCTS = {"matmul", "__matmul__", "mm", "bmm", "mv"}

_SlotsOf = Callable[[Any], torch.Tensor | None]


class Operation(NamedTuple):
    """An operation of torch, as __torch_function__ gets it."""

    func: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def writes(self) -> bool:
        """True if it changes its first argument in place."""
        if self.name in {"__setitem__", "copy_"}:
            return True
        in_place = self.name.endswith("_") and not self.name.endswith("__")
        return in_place or (self.name.startswith("__i") and self.name != "__invert__")

    def run(self) -> Any:
        """The operation itself."""
        return self.func(*self.args, **self.kwargs)


def slots_of_batch(tensor: torch.Tensor) -> torch.Tensor:
    """The slots of a tensor whose first dimensions are (batch, width)."""
    batch, width = tensor.shape[:2]
    slots = torch.arange(batch * width, device=tensor.device).reshape(batch, width, *[1] * (tensor.dim() - 2))
    return slots.expand(tensor.shape)


def slots_after(
    operation: Operation, slots: _SlotsOf, result: torch.Tensor, number: int, *, width: int
) -> torch.Tensor | None:
    """The slots of a result; None if they are unknown.

    Args:
        operation: The operation.
        slots: The slots of an argument, None if it is not followed.
        result: A tensor of the result's shape.
        number: Which tensor of the result it is.
        width: The number of columns of the batch.
    """
    name, args = operation.name, operation.args
    if name in _MOVES:
        moved = _moved(operation, slots)
        return moved if isinstance(moved, torch.Tensor) else moved[number]
    if name in _PRODUCTS:
        return _of_product(slots(args[0]), slots(args[1]), result)
    first = slots(args[0]) if args else None
    if first is not None and (name in _REDUCED_ALONG or (name in _REDUCTIONS and not _is_between_two(args))):
        return _reduced(first, _REDUCED_ALONG.get(name) or dimensions(operation), result)
    for value in (*args, *operation.kwargs.values()):
        if (found := slots(value)) is not None and (expanded := _expanded(found, result)) is not None:
            return expanded
    # An operation that is not listed here: nothing is known, unless the result has no room for columns.
    return None if any(size and size % width == 0 for size in result.shape) else _none(result)


def dimensions(operation: Operation) -> tuple[int, ...] | None:
    """The dimensions that a reduction removes; None for all."""
    at, otherwise = (2, -1) if operation.name == "topk" else (1, None)
    positional = operation.args[at] if len(operation.args) > at else otherwise
    dim = operation.kwargs.get("dim", operation.kwargs.get("axis", positional))
    if isinstance(dim, int) and not isinstance(dim, bool):
        return (dim,)
    return tuple(dim) if isinstance(dim, list | tuple) and dim else None


def is_one_column(slots: torch.Tensor, width: int) -> bool:
    """True if no row of the batch has more than one column in these slots."""
    used = torch.unique(compact(slots))
    rows = (used[used != NO_SLOT] // width).tolist()
    return len(rows) == len(set(rows))


def compact(slots: torch.Tensor) -> torch.Tensor:
    """The slots without the dimensions along which they are only expanded."""
    for dim, stride in enumerate(slots.stride()):
        if stride == 0 and slots.shape[dim] > 1:
            slots = slots.narrow(dim, 0, 1)
    return slots


def _moved(operation: Operation, slots: _SlotsOf) -> Any:
    """The operation itself on the slots. In a list of tensors to join, one that is not followed has no slots."""

    def of(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [of(each) for each in value]
        found = slots(value)
        if found is None and isinstance(value, torch.Tensor):
            return torch.full_like(value, NO_SLOT, dtype=torch.long)
        return value if found is None else found

    head, *tail = operation.args
    return operation.func(of(head), *tail, **operation.kwargs)


def _is_between_two(args: Sequence[Any]) -> bool:
    """True for max(a, b) and min(a, b), which compare number by number."""
    return len(args) > 1 and isinstance(args[1], torch.Tensor)


def _agreed(slots: torch.Tensor, dims: tuple[int, ...] | None, *, keepdim: bool) -> torch.Tensor:
    """The slot that all numbers along these dimensions share; NO_SLOT if they differ."""
    dims = tuple(range(slots.dim())) if dims is None else dims
    low, high = slots.amin(dims, keepdim=keepdim), slots.amax(dims, keepdim=keepdim)
    return torch.where(low == high, low, NO_SLOT)


def _reduced(slots: torch.Tensor, dims: tuple[int, ...] | None, result: torch.Tensor) -> torch.Tensor | None:
    if not result.dim():
        dims = None
    elif dims is not None:
        dims = tuple(dim for dim in dims if -slots.dim() <= dim < slots.dim())
    removed = _agreed(slots, dims, keepdim=False)
    return removed if removed.shape == result.shape else _expanded(_agreed(slots, dims, keepdim=True), result)


def _of_product(left: torch.Tensor | None, right: torch.Tensor | None, result: torch.Tensor) -> torch.Tensor | None:
    """Of a matrix product: each number is computed from a row of the first and a column of the second factor."""
    if left is not None and right is None:
        return _expanded(_agreed(left, (-1,), keepdim=result.dim() == left.dim()), result)
    if right is not None and left is None:
        return _expanded(_agreed(right, (max(-2, -right.dim()),), keepdim=result.dim() == right.dim()), result)
    return _none(result)


def _expanded(slots: torch.Tensor, result: torch.Tensor) -> torch.Tensor | None:
    try:
        return slots.expand(result.shape)
    except RuntimeError:
        return None


def _none(result: torch.Tensor) -> torch.Tensor:
    return torch.full((), NO_SLOT, device=result.device).expand(result.shape)
