"""How far an arm's logits are from the unpadded run, step by step, on a log axis: the geometry of the picture."""

import math
from typing import NamedTuple

from padcheck.evidence import RowDifference
from padcheck.report import Report

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 22, 34
_MOST_STEP_LABELS = 12


class Tick(NamedTuple):
    """A place on an axis, and what stands there."""

    at: float
    label: str


class Point(NamedTuple):
    """A step of a prompt; the label says its value in full."""

    x: float
    y: float
    label: str


class Curve(NamedTuple):
    """A prompt; `changed` where padding changed it."""

    prompt_index: int
    changed: bool
    points: list[Point]

    @property
    def path(self) -> str:
        """As an SVG polyline has it."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


class Chart(NamedTuple):
    """All that is drawn, in pixels; `floor` and `allowed` are None where they are not known."""

    left: float
    right: float
    top: float
    bottom: float
    values: list[Tick]
    steps: list[Tick]
    floor: Tick | None
    allowed: Tick | None
    curves: list[Curve]


def draw(report: Report, arm: str) -> Chart | None:
    """The chart of an arm; None where it was not compared.

    The lowest line stands for exactly 0, which a log axis does not have, and the highest for NaN and infinity.
    """
    differences = report.evidence.differences.get(arm, ())
    if not differences or arm not in report.comparisons:
        return None
    comparison, measured = report.comparisons[arm], report.noise_floor.measured if report.noise_floor else None
    changed = {row.prompt_index for row in comparison.rows if not row.verdict.within_rounding}
    numbers = [step.max_abs_diff for row in differences for step in row.steps]
    low, high = _decades([*numbers, comparison.allowed, measured])
    broken = any(number is None for number in numbers)
    bottom, top = HEIGHT - _BOTTOM, _TOP
    zero_at, first = bottom, bottom - 22
    last = top + 18 if broken else top

    def height(number: float | None) -> float:
        if number is None:
            return top
        if number == 0:
            return zero_at
        return first - (math.log10(number) - low) / (high - low) * (first - last)

    count = max(len(row.steps) for row in differences)
    right = WIDTH - _RIGHT

    def place(step: int) -> float:
        return _LEFT + (step + 0.5) / count * (right - _LEFT)

    def curve(row: RowDifference) -> Curve:
        points = [
            Point(place(step), height(each.max_abs_diff), _told(row, step, each.max_abs_diff))
            for step, each in enumerate(row.steps)
        ]
        return Curve(row.prompt_index, row.prompt_index in changed, points)

    every = math.ceil(count / _MOST_STEP_LABELS)
    apart = math.ceil((high - low) / 8)
    values = [Tick(zero_at, "0"), *(Tick(height(10.0**power), f"1e{power}") for power in range(low, high + 1, apart))]
    return Chart(
        left=_LEFT,
        right=right,
        top=top,
        bottom=bottom,
        values=[*values, Tick(top, "NaN")] if broken else values,
        steps=[Tick(place(step), str(step)) for step in range(0, count, every)],
        floor=Tick(height(measured), f"rounding {measured:.2g}") if measured is not None else None,
        allowed=Tick(height(comparison.allowed), f"allowed {comparison.allowed:.2g}") if comparison.allowed else None,
        curves=sorted((curve(row) for row in differences), key=lambda each: each.changed),
    )


def _decades(numbers: list[float | None]) -> tuple[int, int]:
    """The powers of ten around all that is neither 0 nor NaN: two different ones at least."""
    logs = [math.log10(number) for number in numbers if number]
    low, high = (math.floor(min(logs)), math.ceil(max(logs))) if logs else (-6, 0)
    return low, max(high, low + 1)


def _told(row: RowDifference, step: int, number: float | None) -> str:
    return f"prompt {row.prompt_index}, token {step}: {'NaN or infinity' if number is None else f'{number:.3g}'}"
