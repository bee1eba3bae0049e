"""The geometry of a chart: how far a run's logits are from its reference, step by step, on a log axis.

Zero and NaN have no place on a log axis, so each has a lane: zero below the decades, NaN above them.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from padcheck.core.run_results import RowDifference
from padcheck.core.verdicts import Comparison, Verdict

WIDTH, HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 424, 14, 240
_LANE = 26
"""The height of the lanes for zero and for NaN."""
_MOST_TICKS = 8
_MOST_MARKED_LINES = 12
"""With more curves than that, single steps have no mark."""
_ROOM_FOR_TWO_LABELS = 30
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Tick(NamedTuple):
    """A place on an axis, and its label."""

    place: float
    text: str


class Mark(NamedTuple):
    """One step of a curve: `zero`, `nan`, `flip` if another token was chosen, or a plain `step`."""

    x: float
    y: float
    kind: str


class Curve(NamedTuple):
    """The prompts that share a curve, and whether padding changed them."""

    prompts: tuple[int, ...]
    changed: bool
    path: str
    marks: tuple[Mark, ...]


class Chart(NamedTuple):
    """Everything that is drawn.

    `floor` is the noise floor. `allowed` is a band from the smallest to the largest allowed difference of the prompts.
    """

    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]
    floor: Tick | None
    floor_label: float
    allowed: tuple[Tick, Tick] | None
    left: float = _LEFT
    right: float = _RIGHT
    top: float = _TOP
    bottom: float = _BOTTOM
    width: float = WIDTH
    height: float = HEIGHT


class LogAxis:
    """Whole decades between top and bottom, with lanes for zero and NaN if such values occur."""

    def __init__(self, values: Iterable[float | None], levels: Iterable[float]) -> None:
        drawn = list(values)
        positive = [value for value in (*drawn, *levels) if value is not None and 0 < value < math.inf]
        self.has_zero = any(value == 0 for value in drawn)
        self.has_nan = any(value is None for value in drawn)
        self.low = math.floor(math.log10(min(positive, default=1e-7)))
        self.high = max(math.ceil(math.log10(max(positive, default=1.0))), self.low + 1)
        self.bottom = _BOTTOM - _LANE * self.has_zero
        self.top = _TOP + _LANE * self.has_nan

    def place(self, value: float | None) -> float:
        """The height of a value."""
        if value is None:
            return _TOP + _LANE / 4
        if value == 0:
            return _BOTTOM - _LANE / 4
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.bottom - share * (self.bottom - self.top), 1)

    def ticks(self) -> list[Tick]:
        """The lanes and the powers of ten; only some of the powers if there are many."""
        every = math.ceil((self.high - self.low) / _MOST_TICKS)
        decades = [Tick(self.place(10.0**power), _power(power)) for power in range(self.low, self.high + 1, every)]
        zero = [Tick(self.place(0), "0")] if self.has_zero else []
        return [*zero, *decades, *([Tick(self.place(None), "NaN")] if self.has_nan else [])]


def chart(differences: Sequence[RowDifference], comparison: Comparison, floor: float) -> Chart:
    """The chart of one run.

    Args:
        differences: How far each prompt is from its reference.
        comparison: Which prompts changed, and how large a difference rounding explains.
        floor: The noise floor.
    """
    allowed = sorted(row.allowed for row in comparison.rows if row.allowed > 0)
    values = [step.max_abs_diff for difference in differences for step in difference.steps]
    axis = LogAxis(values, (*allowed, floor))
    num_steps = max(len(difference.steps) for difference in differences)
    changed = {row.prompt_index for row in comparison.rows if row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE)}
    every = math.ceil(num_steps / 10)
    top, floor_place = (axis.place(allowed[0]) if allowed else 0.0), (axis.place(floor) if floor > 0 else 0.0)
    return Chart(
        x_ticks=[Tick(_x(step, num_steps), str(step)) for step in range(0, num_steps, every)],
        y_ticks=axis.ticks(),
        curves=_curves(differences, changed, axis, num_steps),
        floor=_tick(axis, floor) if floor > 0 else None,
        # The label stands above its line, or below it if the other label is too close.
        floor_label=floor_place - 5 if floor_place - top > _ROOM_FOR_TWO_LABELS else floor_place + 13,
        allowed=(_tick(axis, allowed[0]), _tick(axis, allowed[-1])) if allowed else None,
    )


def _curves(differences: Sequence[RowDifference], changed: set[int], axis: LogAxis, num_steps: int) -> list[Curve]:
    """One curve per distinct course. Prompts that changed come last, so that their curves lie on top."""
    together: dict[tuple[bool, tuple[Mark, ...]], list[int]] = {}
    for difference in differences:
        key = (difference.prompt_index in changed, _marks(difference, axis, num_steps))
        together.setdefault(key, []).append(difference.prompt_index)
    few = len(together) <= _MOST_MARKED_LINES
    return [
        Curve(
            prompts=tuple(prompts),
            changed=is_changed,
            path="M" + "L".join(f"{mark.x:g} {mark.y:g}" for mark in marks),
            marks=marks if few or len(marks) == 1 else tuple(mark for mark in marks if mark.kind in ("flip", "nan")),
        )
        for (is_changed, marks), prompts in sorted(together.items(), key=lambda item: item[0][0])
    ]


def _marks(difference: RowDifference, axis: LogAxis, num_steps: int) -> tuple[Mark, ...]:
    flip = None if difference.flip is None else difference.flip.step
    return tuple(
        Mark(_x(number, num_steps), axis.place(step.max_abs_diff), _kind(step.max_abs_diff, number == flip))
        for number, step in enumerate(difference.steps)
    )


def _kind(value: float | None, is_flip: bool) -> str:
    if is_flip:
        return "flip"
    return "nan" if value is None else "zero" if value == 0 else "step"


def _x(step: int, num_steps: int) -> float:
    if num_steps == 1:
        return (_LEFT + _RIGHT) / 2
    inset = 12
    return round(_LEFT + inset + step * (_RIGHT - _LEFT - 2 * inset) / (num_steps - 1), 1)


def _tick(axis: LogAxis, value: float) -> Tick:
    return Tick(axis.place(value), f"{value:.2g}")


def _power(power: int) -> str:
    return {0: "1", 1: "10"}.get(power, f"10{str(power).translate(_SUPERSCRIPT)}")
