"""Measures how far a module's values are apart between two runs of a prompt, and how much of that rounding explains."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from padcheck.hf.place.row_values import Path, Values
from padcheck.hf.place.watching import Visit, VisitKey, Watched, watch

Perturbed = Callable[[int], AbstractContextManager[None]]
"""Takes a seed, and returns a context manager in which the model makes random rounding errors."""

_Side = Literal["inputs", "outputs"]
_SIDES: tuple[_Side, ...] = ("inputs", "outputs")
_SEEDS = (0, 1)
_ROUNDING_FACTOR = 4
_SCALE_FACTOR = 1e-5
"""The part of a token's scale that is allowed on top of the measured rounding.

A kernel may sum in another order for a batch than for one row. Random errors on its output show this only in part.
"""


@dataclass(frozen=True)
class Gap:
    """How far one tensor is from the reference on the prompt's real tokens.

    Attributes:
        difference: The difference at the token that exceeds its `allowed` by the most; infinite if only one side is
            finite.
        allowed: The largest difference that rounding explains at this token.
        shifted: True if the tensor counts positions, and all tokens so far are off by the same number.
    """

    difference: float
    allowed: float
    shifted: bool

    @property
    def differs(self) -> bool:
        """True if neither rounding nor a shift of all positions explains the difference."""
        return self.difference > self.allowed and not self.shifted


@dataclass(frozen=True)
class Compared:
    """One visit of a module in both runs, with the gap of each tensor that both have."""

    name: str
    inputs: dict[Path, Gap] = field(default_factory=dict)
    outputs: dict[Path, Gap] = field(default_factory=dict)

    @property
    def inputs_agree(self) -> bool:
        """True if inputs could be compared and none of them differs."""
        return bool(self.inputs) and not any(gap.differs for gap in self.inputs.values())

    @property
    def output_differs(self) -> bool:
        """True if an output could be compared and differs."""
        return any(gap.differs for gap in self.outputs.values())

    @property
    def has_shifted_inputs(self) -> bool:
        """True if the module receives positions that are all shifted by the same number."""
        return any(gap.shifted for gap in self.inputs.values())


def compare_modules(
    model: nn.Module, names: Iterable[str], alone: Watched, changed: Watched, perturbed: Perturbed
) -> list[Compared]:
    """Compares each visit of these modules; the result is in the order in which the visits end.

    Only the values of the reference are kept. Those of the other runs are compared as soon as a visit ends. A module
    is left out if the two runs do not call it equally often.

    Raises:
        Exception: Any error that a run raises.
    """
    names, comparison = list(names), _Comparison(changed)
    watch(model, names, alone, comparison.keep)
    for seed in _SEEDS:
        with perturbed(seed):
            watch(model, names, alone, comparison.note_rounding)
    watch(model, names, changed, comparison.compare)
    return comparison.compared()


class _Comparison:
    """Keeps the visits of the reference run, and compares the visits of the other runs with them."""

    def __init__(self, changed: Watched) -> None:
        self._num_positions = len(changed.mask)
        self._has_first = changed.call > 0
        self._reference: dict[VisitKey, Visit] = {}
        self._rounding: dict[tuple[VisitKey, _Side, Path], torch.Tensor] = {}
        self._first: dict[VisitKey, Visit] = {}
        self._compared: dict[VisitKey, Compared] = {}

    def keep(self, visit: Visit) -> None:
        """Takes a visit of the reference run."""
        self._reference[visit.key] = visit

    def note_rounding(self, visit: Visit) -> None:
        """Takes a visit of the reference run with random rounding errors."""
        for side, path, expected, found in self._pairs(visit):
            key = (visit.key, side, path)
            distances = _distances(expected, found)
            self._rounding[key] = torch.maximum(self._rounding.get(key, distances), distances)

    def compare(self, visit: Visit) -> None:
        """Takes a visit of the changed run."""
        if visit.in_first_call:
            self._first[visit.key] = visit
            return
        compared = Compared(visit.name)
        for side, path, expected, found in self._pairs(visit):
            distances, scales = _distances(expected, found), _scales(expected)
            rounding = self._rounding.get((visit.key, side, path), torch.zeros_like(distances))
            allowed = _ROUNDING_FACTOR * rounding + _SCALE_FACTOR * scales
            worst = int((distances - allowed).argmax()) if distances.numel() else None
            gap = (0.0, 0.0) if worst is None else (float(distances[worst]), float(allowed[worst]))
            shifted = gap[0] > gap[1] and _is_shifted(path, self._so_far(visit, side), self._num_positions)
            getattr(compared, side)[path] = Gap(*gap, shifted)
        self._compared[visit.key] = compared

    def compared(self) -> list[Compared]:
        """The result, in the order of the reference run."""
        alone, changed = (_num_visits(keys) for keys in (self._reference, self._compared))
        return [
            self._compared[key] for key in self._reference if key in self._compared and alone[key[1]] == changed[key[1]]
        ]

    def _pairs(self, visit: Visit) -> Iterator[tuple[_Side, Path, torch.Tensor, torch.Tensor]]:
        """Side, path, and the tensors of the reference and of this visit, if their shapes and dtypes agree."""
        reference = self._reference.get(visit.key)
        if reference is None or visit.in_first_call:
            return
        for side in _SIDES:
            values: Values = getattr(visit, side)
            for path, expected in getattr(reference, side).items():
                found = values.get(path)
                if found is not None and found.shape == expected.shape and found.dtype == expected.dtype:
                    yield side, path, expected, found

    def _so_far(self, visit: Visit, side: _Side) -> list[tuple[Values, Values]]:
        """The values of the reference and of the changed run at this visit.

        If a later forward() call is looked at, those of the same visit in the first call come before them. The list is
        empty if the first call has no such visit.
        """
        pairs = [(self._reference[visit.key], visit)]
        if self._has_first:
            first = (True, visit.name, visit.number)
            if first not in self._reference or first not in self._first:
                return []
            pairs.insert(0, (self._reference[first], self._first[first]))
        return [(getattr(reference, side), getattr(changed, side)) for reference, changed in pairs]


def _num_visits(keys: Iterable[VisitKey]) -> Counter[str]:
    return Counter(name for in_first_call, name, _ in keys if not in_first_call)


def _distances(expected: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """The largest difference of each token, (tokens,); infinite if it is NaN.

    Each token is compared with its own rounding. In real models a few channels of the first token are thousands of
    times larger than all others (massive activations, Sun et al., 2024), and so are their rounding errors.
    """
    both_nan = expected.isnan() & found.isnan()
    distances = (found - expected).abs().masked_fill((expected == found) | both_nan, 0)
    return _largest_of_tokens(distances.nan_to_num(nan=float("inf"), posinf=float("inf")))


def _scales(expected: torch.Tensor) -> torch.Tensor:
    """The largest absolute value of each token, (tokens,), since rounding grows with it; 0 for integers."""
    if not (expected.is_floating_point() or expected.is_complex()):
        return torch.zeros(len(expected))
    sizes = expected.abs()
    return _largest_of_tokens(sizes.masked_fill(~sizes.isfinite(), 0))


def _largest_of_tokens(numbers: torch.Tensor) -> torch.Tensor:
    flat = numbers.flatten(start_dim=1) if numbers.dim() > 1 else numbers[:, None]  # (tokens, ...)
    return flat.amax(dim=1).float() if flat.shape[1] else torch.zeros(len(numbers))


def _is_shifted(path: Path, so_far: list[tuple[Values, Values]], num_positions: int) -> bool:
    """True if the tensor at this path counts positions, and all of them are shifted by the same number.

    Positions are integers, or the rotations that a rotary embedding computes from them. Rotary attention depends only
    on the distances between positions (Su et al., 2021), so it does not see such a shift.
    """
    # An angle may be as large as the position, and its rounding error grows with it.
    tolerance = 4 * torch.finfo(torch.float32).eps * num_positions + _SCALE_FACTOR
    shifts = []
    for expected, found in so_far:
        # The rotation of a pair (cos, sin) is at the parent path.
        paths = [at for at in (path, path[:-1]) if at in expected and not expected[at].is_floating_point()]
        if not paths or paths[0] not in found or found[paths[0]].shape != expected[paths[0]].shape:
            return False
        shifts.append(_shift(expected[paths[0]], found[paths[0]]))
    if not shifts:
        return False
    shift = torch.cat(shifts)  # (tokens so far, ...)
    keeps_lengths = not shift.is_complex() or bool(((shift.abs() - 1).abs() <= tolerance).all())
    return keeps_lengths and bool(((shift - shift[:1]).abs() <= tolerance).all())


def _shift(expected: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """The shift of each token, as a number of positions or as a rotation."""
    if not expected.is_complex():
        return found - expected
    return found * expected.conj() / expected.abs().square()
