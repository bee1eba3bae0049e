"""A tensor that is followed through the user's code: where its numbers come from, and what they would be otherwise."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from padcheck.core.faults import CodePlace
from padcheck.core.tolerances import least_tolerance
from padcheck.watching.makers import SideChange
from padcheck.watching.slots import NO_SLOT, compact, slots_of_batch


class Batch(NamedTuple):
    """What the followed tensors of one call share.

    Attributes:
        real: True for each slot that holds text, (batch * width,).
        width: The number of columns.
        model: The class of the model.
        change: The change of the padding side by a library, if it decided about the pads.
    """

    real: torch.Tensor
    width: int
    model: str
    change: SideChange | None = None


class Origin(NamedTuple):
    """Where a value began to depend on pads.

    Attributes:
        code: PAD508 if it was read from a pad, PAD509 if it is a mean or sum over pads, PAD510 if it is a loss.
        place: The line; None if a library did it, about which nothing is said.
        operation: The name of the operation.
        max_abs_diff: How far other numbers at the pads move it.
        batch: The batch.
    """

    code: str
    place: CodePlace | None
    operation: str
    max_abs_diff: float
    batch: Batch


class Followed:
    """What is known about a followed tensor.

    Attributes:
        batch: The batch that it comes from.
        slots: The slot of each number.
        origin: Where it began to depend on pads, if it is a value without a column for each token.
        is_loss: True if it is computed from the loss or the log-likelihood of tokens.
    """

    def __init__(self, batch: Batch, slots: torch.Tensor, twin: torch.Tensor | None = None) -> None:
        self.batch = batch
        self.slots = slots
        self.origin: Origin | None = None
        self.is_loss = False
        self._twin = twin

    @classmethod
    def output(cls, tensor: torch.Tensor, batch: Batch) -> "Followed":
        """An output of the model, (batch, width, ...)."""
        return cls(batch, slots_of_batch(tensor))

    def twin_of(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor with other numbers at the pads. It is made when it is first needed."""
        if self._twin is None:
            given = tensor.detach()
            other = -given.roll(1, -1) + given.float().std().to(given.dtype)
            self._twin = torch.where(self.at_pads(), other, given)
        return self._twin

    def at_pads(self) -> torch.Tensor:
        """True for each number that belongs to a pad, of the tensor's shape."""
        slots = compact(self.slots)
        pads = (slots != NO_SLOT) & ~self.batch.real[slots.clamp(min=0)]
        return pads.expand(self.slots.shape)


def distance(tensor: torch.Tensor, twin: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Where a tensor differs from its twin by more than rounding, and the largest difference."""
    tensor = tensor.detach()
    if not tensor.is_floating_point():
        differs = tensor != twin
        return differs, float(differs.any())
    finite = torch.isfinite(tensor) & torch.isfinite(twin)
    apart = torch.where(finite, tensor - twin, 0).abs()
    scale = float(torch.where(finite, tensor, 0).abs().max()) if tensor.numel() else 0.0
    allowed = least_tolerance(str(tensor.dtype).removeprefix("torch.")).allowed(scale)
    same_non_finite = (tensor == twin) | (torch.isnan(tensor) & torch.isnan(twin))
    return (apart > allowed) | (~finite & ~same_non_finite), float(apart.max()) if tensor.numel() else 0.0


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors of an argument or a result, also in tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors_in(each)
