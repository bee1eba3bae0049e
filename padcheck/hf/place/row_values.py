"""Picks the values of one prompt's real tokens out of the tensors that a module receives or returns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Path = tuple[str, ...]
"""The path to a tensor inside the arguments or the output of a module: argument names, keys and indices."""
Values = dict[Path, torch.Tensor]
"""Tensors (real tokens, ...) on the CPU: float32, int64, or complex64 for rotations."""

_NOT_COMPARED = {
    *("past_key_values", "past_key_value", "layer_past", "cache_params"),
    *("attentions", "cross_attentions"),
}
"""Arguments and outputs whose columns are those of the cache."""
_RADIUS_TOLERANCE = 1e-4
"""How far the radii of (cos, sin) may differ, relative to the largest one."""


@dataclass(frozen=True)
class RealTokens:
    """The row and the columns of one prompt's real tokens in one forward() call of the model.

    Attributes:
        rows: The number of rows in the call's input.
        columns: The number of columns in the call's input.
        row: The row of the prompt.
        real: The columns that hold real tokens of the prompt, in ascending order.
    """

    rows: int
    columns: int
    row: int
    real: tuple[int, ...]

    def values(self, structure: object) -> Values:
        """The values of the real tokens, from every tensor with columns in nested tuples, lists and dicts.

        A pair (cos, sin) of a rotary embedding gives three entries: two tensors and, at the path of the pair, complex
        numbers. The complex numbers show whether all positions are shifted by the same number.
        """
        found: Values = {}
        for path, tensor in _tensors(structure):
            picked = self._pick(tensor)
            if picked is not None:
                found[path] = _copy_on_cpu(picked)
        pairs = {path[:-1]: _rotation(found, path[:-1]) for path in found if path and path[-1] == "0"}
        return found | {path: pair for path, pair in pairs.items() if pair is not None}

    def _pick(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The values of the real tokens, (real tokens, ...); None for an unknown layout, a mask or a cache."""
        if tensor.layout is not torch.strided or tensor.dim() < 2 or not self.real:  # noqa: PLR2004
            return None
        real = torch.tensor(self.real, device=tensor.device)
        leading = tuple(tensor.shape[:2])
        if tensor.dim() == 4 and leading[1] == 1 and tensor.shape[2] == self.columns:  # noqa: PLR2004
            return None  # a mask (rows, 1, columns, cache)
        if leading == (self.rows, self.columns):
            return tensor[self.row, real]
        if leading == (1, self.columns):
            return tensor[0, real]
        if leading[0] == self.rows * self.columns:
            return tensor[self.row * self.columns + real]
        return self._pick_from_three(tensor, real)

    def _pick_from_three(self, tensor: torch.Tensor, real: torch.Tensor) -> torch.Tensor | None:
        if tensor.dim() != 3:  # noqa: PLR2004
            return None
        _, rows, columns = tensor.shape
        if not tensor.is_floating_point() and rows in (1, self.rows) and columns == self.columns:
            # (sections, rows, columns) of multimodal rotary positions
            return tensor[:, self.row if rows > 1 else 0][:, real].transpose(0, 1)
        if tuple(tensor.shape[:2]) == (self.rows, 1) and self.real[-1] == self.columns - 1:
            return tensor[self.row]  # only the last column, as in the logits for generate()
        return None


def _tensors(value: Any, path: Path = ()) -> Iterator[tuple[Path, torch.Tensor]]:
    """All tensors in nested tuples, lists and dicts, each with its path."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key not in _NOT_COMPARED:
                yield from _tensors(part, (*path, str(key)))
    elif isinstance(value, (tuple, list)):
        for index, part in enumerate(value):
            yield from _tensors(part, (*path, str(index)))


def _copy_on_cpu(picked: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU in one of three dtypes. It is a copy because the model may write into the original later."""
    dtype = torch.int64
    if picked.is_complex():
        dtype = torch.complex64
    elif picked.is_floating_point():
        dtype = torch.float32
    return picked.detach().to("cpu", dtype, copy=True)


def _rotation(values: Values, path: Path) -> torch.Tensor | None:
    """The pair (cos, sin) at this path as complex numbers; None if the values there are not such a pair."""
    cos, sin = values[(*path, "0")], values.get((*path, "1"))
    if sin is None or (*path, "2") in values or cos.shape != sin.shape or cos.numel() <= 1:
        return None
    if not (cos.is_floating_point() and sin.is_floating_point()):
        return None
    radii = cos.square() + sin.square()
    if not radii.max() > 0 or not radii.max() - radii.min() <= _RADIUS_TOLERANCE * radii.max():
        return None  # also if there is a NaN
    return torch.complex(cos, sin)
