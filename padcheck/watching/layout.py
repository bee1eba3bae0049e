"""Which columns of a batch hold text, and which hold pads."""

from collections.abc import Sequence
from typing import NamedTuple, TypeGuard

import torch

from padcheck.watching.rows import KnownRows

_BATCH_OF_IDS = 2
"""The dimensions of a batch of ids or of its mask: (batch, width)."""


class Layout(NamedTuple):
    """A batch of token ids, and where its text is.

    Attributes:
        ids: The ids on the CPU, (batch, width).
        real: Whether a column holds text, (batch, width). An unknown row counts as text only.
        known: True for a row whose text is known, (batch,).
    """

    ids: torch.Tensor
    real: torch.Tensor
    known: torch.Tensor

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.ids.shape[1])

    @property
    def padded(self) -> torch.Tensor:
        """True for a row with pads, (batch,)."""
        return ~self.real.all(1)

    @property
    def left(self) -> bool:
        """True if a row begins with a pad."""
        return bool((~self.real[:, 0]).any())

    @property
    def right(self) -> bool:
        """True if a row ends with a pad."""
        return bool((~self.real[:, -1]).any())

    def text(self, row: int) -> torch.Tensor:
        """The ids of a row without its pads, (1, number of tokens)."""
        return self.ids[row][self.real[row]][None]

    def padded_left(self) -> "Layout":
        """The same rows with all their pads on the left."""
        order = self.real.int().argsort(dim=1, stable=True)  # pads are 0, so they come first
        return Layout(self.ids.gather(1, order), self.real.gather(1, order), self.known)

    def then(self, after: "Layout") -> "Layout":
        """This batch with further columns on its right."""
        ids, real = torch.cat([self.ids, after.ids], 1), torch.cat([self.real, after.real], 1)
        return Layout(ids, real, self.known & after.known)

    def tail(self, first: int) -> "Layout":
        """The columns from `first` on."""
        return Layout(self.ids[:, first:], self.real[:, first:], self.known)


def layout_of(known: KnownRows, ids: object, mask: object = None) -> Layout | None:
    """Where the text of a batch is; None if no row is known or it is not a batch of ids.

    Args:
        known: The rows to recognise.
        ids: The batch, (batch, width).
        mask: Its attention mask, if it is known which column it belongs to.
    """
    if not is_batch(ids) or not ids.numel():
        return None
    on_cpu = ids.detach().to("cpu", torch.long)
    masks: Sequence[list[int] | None] = [None] * len(on_cpu)
    if is_batch(mask) and mask.shape == ids.shape:
        masks = mask.detach().to("cpu", torch.long).tolist()
    found = [known.find(row, of_row) for row, of_row in zip(on_cpu.tolist(), masks, strict=True)]
    if not any(found):
        return None
    width = on_cpu.shape[1]
    real = [
        [True] * width if row is None else row.real(width, of_row) for row, of_row in zip(found, masks, strict=True)
    ]
    return Layout(on_cpu, torch.tensor(real), torch.tensor([row is not None for row in found]))


def new_columns(ids: object, mask: object, known: torch.Tensor) -> Layout | None:
    """Columns that continue a known batch. A mask decides which of them are text; without one all are.

    Args:
        ids: (batch, new columns).
        mask: The mask of the whole batch, or None.
        known: Which rows of the batch are known, (batch,).
    """
    if not is_batch(ids) or len(ids) != len(known):
        return None
    real = torch.ones(ids.shape, dtype=torch.bool)
    if is_batch(mask) and len(mask) == len(ids) and mask.shape[1] > ids.shape[1]:
        real = mask[:, -ids.shape[1] :].detach().cpu() != 0
    return Layout(ids.detach().to("cpu", torch.long), real, known)


def hides_columns(mask: object, ids: object) -> bool:
    """True if a mask is one of these ids, (batch, width), and has a zero."""
    return is_batch(mask) and is_batch(ids) and mask.shape == ids.shape and not bool(mask.all())


def is_batch(value: object) -> TypeGuard[torch.Tensor]:
    """True for a tensor of (batch, width)."""
    return isinstance(value, torch.Tensor) and value.dim() == _BATCH_OF_IDS
