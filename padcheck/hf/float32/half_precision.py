"""Detects whether a model calculates anything in 16 bit while it runs."""

from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HALF = (torch.float16, torch.bfloat16)

_aten = torch.ops.aten
_MOVES = {_aten.embedding, _aten.index, _aten.index_select, _aten.gather, _aten.clone, _aten.cat, _aten.contiguous}
"""Operations that only move numbers. Views only move numbers too."""


class HalfPrecisionError(Exception):
    """An operation has rounded to 16 bit."""


class NothingInHalf(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within the context, an operation that rounds to 16 bit raises. Two kinds of operations are allowed.

    They are those that only move 16-bit numbers, and those that change a weight in place, as RWKV does at its first
    call. The check is needed because a model may cast to the dtype of a weight before it calls the module that owns the
    weight. If that dtype is float16 or bfloat16, the output does not show it, since the result is cast back later.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the operation.

        Raises:
            HalfPrecisionError: The operation rounds to 16 bit.
        """
        output = func(*args, **(kwargs or {}))
        if any(each.dtype in HALF and not isinstance(each, nn.Parameter) for each in _floating(output)):
            moves = func.is_view or func.overloadpacket in _MOVES
            if not moves or any(each.dtype not in HALF for each in _floating((args, kwargs))):
                raise HalfPrecisionError(f"{func} is calculated in 16 bit")
        return output


def _floating(values: Any) -> list[torch.Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, torch.Tensor) and each.is_floating_point()]
