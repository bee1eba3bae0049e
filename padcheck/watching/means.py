"""Follows means of losses, to see whether means of unequal numbers of tokens are averaged as if they were equal.

A mean is the loss that a model returns for its labels, or the mean of one row that the code computes. A followed tensor
is a weighted sum of such means. When it is used, all weights are equal or they are not.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from padcheck.core.faults import CodePlace
from padcheck.core.tolerances import least_tolerance
from padcheck.watching.checks import Proven
from padcheck.watching.patches import wrapped
from padcheck.watching.places import user_place
from padcheck.watching.slots import Operation

_IGNORED = -100
_MOST_PARTS = 4096
"""A sum of more means is no longer followed."""

_SAME_WEIGHT = 1e-3
"""Weights that differ by less, as a share, are equal. Counts of tokens that differ by one are further apart."""

_KEEPS = {"clone", "detach", "float", "double", "half", "bfloat16", "to", "cpu", "cuda", "contiguous", "squeeze"}
_JOINS = {"stack", "cat", "concat"}
_ADDS = {"add", "__add__", "__radd__", "__iadd__", "add_"}
_MULTIPLIES = {"mul", "__mul__", "__rmul__", "__imul__", "mul_", "multiply"}
_DIVIDES = {"div", "__truediv__", "__div__", "__itruediv__", "__idiv__", "div_", "true_divide", "divide"}
_USES = {"item", "tolist", "numpy", "__float__", "__format__", "__repr__", "__str__", "exp", "backward"}


class Mean:
    """The mean loss of some tokens.

    Attributes:
        value: The mean, a tensor without a dimension.
        tokens: How many tokens it is the mean of, a number or a tensor.
        place: The line that computed it. Only means from the same line are compared.
        is_trained: True since a backward() that reached it.
    """

    def __init__(self, value: torch.Tensor, tokens: Any, place: CodePlace) -> None:
        self.value = value.detach()
        self.tokens = tokens
        self.place = place
        self.is_trained = False


_Sum = dict[Mean, Any]
"""The weight of each mean: a number, or a tensor without a dimension."""


class Means:
    """The tensors that are sums of means, and the means that an optimizer has collected since its last step."""

    def __init__(self, report: Callable[[Proven, CodePlace | None], None]) -> None:
        """Prepares to follow. `report` gets each mistake and its line."""
        self._report = report
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], list[_Sum]]] = {}
        self._collected: _Sum = {}
        self._place: CodePlace | None = None

    def concerns(self, args: Sequence[Any]) -> bool:
        """True if an operation gets a followed tensor: as one of its first arguments, or first in a list to join."""
        if not self._known or not args:
            return False
        first = args[0][0] if isinstance(args[0], list | tuple) and args[0] else args[0]
        return id(first) in self._known or (len(args) > 1 and id(args[1]) in self._known)

    def follow_loss(self, named: Mapping[str, Any], output: Any, *, shifts: bool) -> None:
        """Follows the loss that a model returned to the user's code for the labels of tokens.

        Args:
            named: The arguments of forward(), by name.
            output: What it returned.
            shifts: Whether each label belongs to the column before.
        """
        labels, loss = named.get("labels"), getattr(output, "loss", None)
        place = user_place(directly=True)
        is_mean = named.get("num_items_in_batch") is None and named.get("shift_labels") is None
        if not isinstance(labels, torch.Tensor) or labels.dim() != 2 or place is None or not is_mean:  # noqa: PLR2004
            return
        if isinstance(loss, torch.Tensor) and not loss.dim():
            tokens = (labels[:, int(shifts) :] != _IGNORED).sum()
            self._remember(loss, [{Mean(loss, tokens, place): 1.0}])

    def follow_own(self, operation: Operation, result: torch.Tensor) -> None:
        """Follows a mean loss that the code computes: cross_entropy(), or the sums of rows by their lengths."""
        place = user_place(directly=True)
        if place is None:
            return
        if (
            operation.name == "cross_entropy"
            and not result.dim()
            and operation.kwargs.get("reduction") in {None, "mean"}
        ):
            target = operation.args[1] if len(operation.args) > 1 else operation.kwargs["target"]
            tokens = (target != operation.kwargs.get("ignore_index", _IGNORED)).sum()
            self._remember(result, [{Mean(result, tokens, place): 1.0}])
        elif operation.name in _DIVIDES and result.dim() == 1 and isinstance(operation.args[1], torch.Tensor):
            counts = operation.args[1].detach()
            if (
                counts.shape == result.shape
                and len(counts) > 1
                and bool(((counts >= 1) & (counts == counts.round())).all())
            ):
                self._remember(
                    result, [{Mean(*pair, place): 1.0} for pair in zip(result.detach(), counts, strict=True)]
                )

    def after(self, operation: Operation, result: Any) -> None:
        """The code has run an operation."""
        first = operation.args[0] if operation.args else None
        sums = self._of(first)
        if sums is not None and operation.name in _USES:
            self._used(sums, operation.name)
            return
        combined = self._combined(operation, sums)
        if combined is not None and isinstance(result, torch.Tensor) and result.numel() == len(combined):
            self._remember(result, combined)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Within the context, the steps of optimizers and gradients that are thrown away are seen."""
        hook = register_optimizer_step_pre_hook(self.step)
        try:
            with wrapped(Optimizer, "zero_grad", self._zero_grad), wrapped(nn.Module, "zero_grad", self._zero_grad):
                yield
        finally:
            hook.remove()

    def _zero_grad(self, original: Callable[..., None], owner: Any, args: Any, kwargs: Any) -> None:
        self._collected = {}
        original(owner, *args, **kwargs)

    def step(self, *_: object) -> None:
        """An optimizer is about to make a step with the gradients that were collected."""
        collected, self._collected = self._collected, {}
        self._judge(collected, self._place)

    def _used(self, sums: list[_Sum], name: str) -> None:
        place = user_place()
        for each in sums:
            if name != "backward":
                # The average of losses that were trained on one by one is a log, not a result.
                total = sum(map(float, each.values()))
                if abs(total - 1) < _SAME_WEIGHT and not any(mean.is_trained for mean in each):
                    self._judge(each, place)
                continue
            for mean in each:
                mean.is_trained = True
            self._collected = _added(self._collected, each) if len(self._collected) < _MOST_PARTS else {}
            self._place = place

    def _combined(self, operation: Operation, sums: list[_Sum] | None) -> list[_Sum] | None:
        """The result as sums of means; None if it is something else."""
        name, args = operation.name, operation.args
        if name in _JOINS and isinstance(args[0], list | tuple):
            parts = [self._of(each) for each in args[0]]
            return None if None in parts else [each for part in parts for each in part or ()]
        if name in _ADDS and len(args) > 1:
            return _added_each(sums, self._of(args[1]))
        return None if sums is None else _of_one(name, args, sums)

    def _judge(self, means: _Sum, place: CodePlace | None) -> None:
        """Reports PAD512 if unequal means have equal weights, and that makes a difference."""
        if len(means) < 2 or len({mean.place for mean in means}) > 1:  # noqa: PLR2004
            return
        weights, tokens = [float(each) for each in means.values()], [int(mean.tokens) for mean in means]
        is_unequal = max(weights) - min(weights) > _SAME_WEIGHT * max(map(abs, weights))
        if is_unequal or len(set(tokens)) == 1:
            return
        values = [float(mean.value) for mean in means]
        of_means = sum(values) / len(values)
        of_tokens = sum(value * count for value, count in zip(values, tokens, strict=True)) / max(1, sum(tokens))
        dtype = str(next(iter(means)).value.dtype).removeprefix("torch.")
        if abs(of_means - of_tokens) > least_tolerance(dtype).allowed(max(map(abs, values))):
            facts = {"parts": len(means), "fewest": min(tokens), "most": max(tokens)}
            self._report(Proven("PAD512", {**facts, "mean_of_means": of_means, "mean_of_tokens": of_tokens}), place)

    def _of(self, value: object) -> list[_Sum] | None:
        found = self._known.get(id(value))
        return found[1] if found is not None and found[0]() is value else None

    def _remember(self, tensor: torch.Tensor, sums: list[_Sum]) -> None:
        if sum(map(len, sums)) <= _MOST_PARTS:
            key = id(tensor)
            self._known[key] = (weakref.ref(tensor, lambda _: self._known.pop(key, None)), sums)


def _added(one: _Sum, other: _Sum) -> _Sum:
    return one | {mean: one[mean] + weight if mean in one else weight for mean, weight in other.items()}


def _added_each(one: list[_Sum] | None, other: list[_Sum] | None) -> list[_Sum] | None:
    """Two tensors added. One that is not followed, such as a penalty, is left out."""
    if one is None or other is None or len(one) != len(other):
        return one or other
    return [_added(*each) for each in zip(one, other, strict=True)]


def _of_one(name: str, args: Sequence[Any], sums: list[_Sum]) -> list[_Sum] | None:
    """The result of an operation on one followed tensor and numbers."""
    if name in _KEEPS:
        return sums
    if name in {"neg", "__neg__"}:
        return _scaled(sums, -1.0)
    if name in {"sum", "mean"}:
        merged: _Sum = {}
        for each in sums:
            merged = _added(merged, each)
        return _scaled([merged], 1 / len(sums) if name == "mean" else 1.0)
    factor = _number(args[1]) if name in _MULTIPLIES | _DIVIDES else None
    return None if factor is None else _scaled(sums, factor if name in _MULTIPLIES else 1 / factor)


def _scaled(sums: Sequence[_Sum], factor: Any) -> list[_Sum]:
    return [{mean: weight * factor for mean, weight in each.items()} for each in sums]


def _number(value: object) -> Any:
    """A factor: a number, or a tensor of one; None for anything else."""
    if isinstance(value, torch.Tensor):
        return value.detach().squeeze() if value.numel() == 1 else None
    return value if isinstance(value, int | float) else None
