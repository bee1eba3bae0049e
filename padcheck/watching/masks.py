"""What is wrong with the attention mask and the positions of a call, as far as the arguments show it."""

import torch

from padcheck.watching.layout import Layout, is_batch


def suspected(mask: object, layout: Layout, before: Layout | None) -> str | None:
    """The code of the mistake that the mask may be; None if it is right, or not a mask of columns.

    Args:
        mask: The attention mask that was passed, or None.
        layout: The whole batch, with the columns that are in the cache.
        before: The columns that are in the cache, or None.
    """
    if before is not None and before.padded.any() and _covers_only(mask, layout.width - before.width):
        return "PAD506"
    if mask is None:
        return "PAD502" if layout.padded.any() else None
    if not is_batch(mask) or mask.shape != layout.real.shape:
        return None
    given, real = mask.detach().cpu()[layout.known] != 0, layout.real[layout.known]
    hides, shows = bool((real & ~given).any()), bool((given & ~real).any())
    if hides:
        return "PAD505" if shows else "PAD504"
    return "PAD503" if shows else None


def counts_pads(positions: object, layout: Layout) -> bool:
    """True if no positions were passed for a batch with pads on the left, or positions that differ from the text's."""
    if positions is None:
        return layout.left
    if not is_batch(positions) or positions.shape != layout.real.shape:
        return False
    real = layout.real & layout.known[:, None]
    steps = positions.detach().cpu().long() - (layout.real.long().cumsum(1) - 1)
    # Models differ in the position of the first token, so only a shift between rows or columns counts.
    return bool(real.any()) and bool((steps[real] != steps[real][0]).any())


def padding_kind(mask: object, positions: object, layout: Layout, before: Layout | None) -> tuple[object, ...]:
    """The shape of the padding: calls that agree in it can only have the same mistakes."""
    return (
        *("left" * layout.left, "right" * layout.right, before is not None),
        *(suspected(mask, layout, before), counts_pads(positions, layout)),
    )


def _covers_only(mask: object, new: int) -> bool:
    return mask is None or (isinstance(mask, torch.Tensor) and is_batch(mask) and mask.shape[1] == new)
