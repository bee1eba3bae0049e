"""How far modules are apart between two ways of running a prompt, and how much of that rounding explains."""

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
"""From a seed, a context within which the model makes random rounding errors."""

_Side = Literal["inputs", "outputs"]
_SIDES: tuple[_Side, ...] = ("inputs", "outputs")
_SEEDS = (0, 1)
_TIMES_ROUNDING = 4
_OF_SCALE = 1e-5
"""A kernel sums in another order for a batch than for one row, which random errors on its output show only in part."""


@dataclass(frozen=True)
class Gap:
    """How far one tensor is from the reference on the prompt's real tokens.

    Attributes:
        difference: That of the token that is furthest beyond its allowance; infinite if only one side is finite.
        allowed: What rounding explains at this token.
        shifted: True where it counts positions, and is off by the same number for all tokens so far.
    """

    difference: float
    allowed: float
    shifted: bool

    @property
    def differs(self) -> bool:
        """True where neither rounding nor a shift of all positions explains the difference."""
        return self.difference > self.allowed and not self.shifted


@dataclass(frozen=True)
class Compared:
    """One visit of a module in both ways: the gap of each tensor that both have."""

    name: str
    inputs: dict[Path, Gap] = field(default_factory=dict)
    outputs: dict[Path, Gap] = field(default_factory=dict)

    @property
    def inputs_agree(self) -> bool:
        """False also where nothing could be compared."""
        return bool(self.inputs) and not any(gap.differs for gap in self.inputs.values())

    @property
    def output_differs(self) -> bool:
        """False also where nothing could be compared."""
        return any(gap.differs for gap in self.outputs.values())

    @property
    def has_shifted_inputs(self) -> bool:
        """True where all positions that it receives are shifted."""
        return any(gap.shifted for gap in self.inputs.values())


def compare_modules(
    model: nn.Module, names: Iterable[str], alone: Watched, changed: Watched, perturbed: Perturbed
) -> list[Compared]:
    """Compares each visit of these modules, in the order in which the visits end.

    Only the values of the reference are kept; those of the other runs are compared at once. Modules that are not called
    equally often in both ways are left out.

    Raises:
        Exception: What a run raises.
    """
    names, comparison = list(names), _Comparison(changed)
    watch(model, names, alone, comparison.keep)
    for seed in _SEEDS:
        with perturbed(seed):
            watch(model, names, alone, comparison.note_rounding)
    watch(model, names, changed, comparison.compare)
    return comparison.compared()


class _Comparison:
    def __init__(self, changed: Watched) -> None:
        self._num_positions = len(changed.mask)
        self._has_first = changed.call > 0
        self._reference: dict[VisitKey, Visit] = {}
        self._rounding: dict[tuple[VisitKey, _Side, Path], torch.Tensor] = {}
        self._first: dict[VisitKey, Visit] = {}
        self._compared: dict[VisitKey, Compared] = {}

    def keep(self, visit: Visit) -> None:
        """Of the reference run."""
        self._reference[visit.key] = visit

    def note_rounding(self, visit: Visit) -> None:
        """Of the reference run with random errors."""
        for side, path, expected, found in self._pairs(visit):
            key = (visit.key, side, path)
            distances = _distances(expected, found)
            self._rounding[key] = torch.maximum(self._rounding.get(key, distances), distances)

    def compare(self, visit: Visit) -> None:
        """Of the run that is changed."""
        if visit.first:
            self._first[visit.key] = visit
            return
        compared = Compared(visit.name)
        for side, path, expected, found in self._pairs(visit):
            distances, scales = _distances(expected, found), _scales(expected)
            rounding = self._rounding.get((visit.key, side, path), torch.zeros_like(distances))
            allowed = _TIMES_ROUNDING * rounding + _OF_SCALE * scales
            worst = int((distances - allowed).argmax()) if distances.numel() else None
            gap = (0.0, 0.0) if worst is None else (float(distances[worst]), float(allowed[worst]))
            shifted = gap[0] > gap[1] and _is_shifted(path, self._so_far(visit, side), self._num_positions)
            getattr(compared, side)[path] = Gap(*gap, shifted)
        self._compared[visit.key] = compared

    def compared(self) -> list[Compared]:
        """In the order of the reference run."""
        alone, changed = (_num_visits(keys) for keys in (self._reference, self._compared))
        return [
            self._compared[key] for key in self._reference if key in self._compared and alone[key[1]] == changed[key[1]]
        ]

    def _pairs(self, visit: Visit) -> Iterator[tuple[_Side, Path, torch.Tensor, torch.Tensor]]:
        """Side, path, and the tensors of the reference and of this visit that are the same but for their numbers."""
        reference = self._reference.get(visit.key)
        if reference is None or visit.first:
            return
        for side in _SIDES:
            of_visit: Values = getattr(visit, side)
            for path, expected in getattr(reference, side).items():
                found = of_visit.get(path)
                if found is not None and found.shape == expected.shape and found.dtype == expected.dtype:
                    yield side, path, expected, found

    def _so_far(self, visit: Visit, side: _Side) -> list[tuple[Values, Values]]:
        """What the reference and the changed run have here, in the first forward() call as well if this is another.

        Empty where the first call has no such visit.
        """
        pairs = [(self._reference[visit.key], visit)]
        if self._has_first:
            first = (True, visit.name, visit.number)
            if first not in self._reference or first not in self._first:
                return []
            pairs.insert(0, (self._reference[first], self._first[first]))
        return [(getattr(reference, side), getattr(changed, side)) for reference, changed in pairs]


def _num_visits(keys: Iterable[VisitKey]) -> Counter[str]:
    return Counter(name for first, name, _ in keys if not first)


def _distances(expected: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """The largest difference of each token, (tokens,); infinite if it is not a number.

    Each token is compared with its own rounding. Real models have a few channels of the first token that are thousands
    of times larger than all else (massive activations, Sun et al., 2024), and so is their rounding.
    """
    both_nan = expected.isnan() & found.isnan()
    distances = (found - expected).abs().masked_fill((expected == found) | both_nan, 0)
    return _largest_of_tokens(distances.nan_to_num(nan=float("inf"), posinf=float("inf")))


def _scales(expected: torch.Tensor) -> torch.Tensor:
    """The largest absolute number of each token, (tokens,), beside which rounding is small; 0 for integers."""
    if not (expected.is_floating_point() or expected.is_complex()):
        return torch.zeros(len(expected))
    sizes = expected.abs()
    return _largest_of_tokens(sizes.masked_fill(~sizes.isfinite(), 0))


def _largest_of_tokens(numbers: torch.Tensor) -> torch.Tensor:
    flat = numbers.flatten(start_dim=1) if numbers.dim() > 1 else numbers[:, None]  # (tokens, ...)
    return flat.amax(dim=1).float() if flat.shape[1] else torch.zeros(len(numbers))


def _is_shifted(path: Path, so_far: list[tuple[Values, Values]], num_positions: int) -> bool:
    """True where the tensor at this path counts positions and all of them are shifted alike.

    Positions are integers, or the rotations that a rotary embedding makes of them. Attention by rotary positions does
    not see such a shift.
    """
    tolerance = 4 * torch.finfo(torch.float32).eps * num_positions + _OF_SCALE  # an angle is as large as the position
    shifts = []
    for expected, found in so_far:
        # The pair (cos, sin) is under the path above.
        counting = [at for at in (path, path[:-1]) if at in expected and not expected[at].is_floating_point()]
        if not counting or counting[0] not in found or found[counting[0]].shape != expected[counting[0]].shape:
            return False
        shifts.append(_shift(expected[counting[0]], found[counting[0]]))
    if not shifts:
        return False
    shift = torch.cat(shifts)  # (tokens so far, ...)
    turned = not shift.is_complex() or bool(((shift.abs() - 1).abs() <= tolerance).all())
    return turned and bool(((shift - shift[:1]).abs() <= tolerance).all())


def _shift(expected: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """By how many positions, or by which rotation."""
    if not expected.is_complex():
        return found - expected
    return found * expected.conj() / expected.abs().square()
