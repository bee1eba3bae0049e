"""How far rounding alone moves the logits, and which differences it explains."""

from collections.abc import Iterator

from padcheck.core.noise_floor import NoiseFloor
from padcheck.core.report import Report
from padcheck.core.run_plans import IN_FLOAT32, RunName

TITLE = "What rounding does"

_LEFT: RunName = "left"


def rows(report: Report) -> list[tuple[str, str]]:
    """Label and text of each line: what was measured, what is allowed, and what left padding does."""
    floor = report.noise_floor
    return [] if floor is None else [*_measured(report, floor), _allowed(floor), *_left(report)]


def _measured(report: Report, floor: NoiseFloor) -> Iterator[tuple[str, str]]:
    if floor.measured is not None:
        yield "measured", f"logits move by up to {floor.measured:.2g} in {floor.dtype}"
        for way in floor.ways:
            if way.max_abs_diff is not None:
                beyond = "" if way.counted else " (not counted, since it is more than rounding explains)"
                yield "", f"{way.max_abs_diff:.2g} with {way.description}{beyond}"
            elif way.error is not None:
                yield "", f"not measured with {way.description}: {way.error}"
    if floor.measured_in_float32 is not None:
        yield "", f"in float32 by up to {floor.measured_in_float32:.2g}, with random rounding errors"
    in_float32 = report.evidence.runs.get(IN_FLOAT32[_LEFT])
    if in_float32 is not None and in_float32.error is not None:
        yield "", f"no run in float32: {in_float32.error}"


def _allowed(floor: NoiseFloor) -> tuple[str, str]:
    least = f"{f'{floor.atol:g} + ' if floor.atol else ''}{floor.rtol:.2g} × largest logit"
    if floor.method == "measured":
        least = f"{floor.factor:g} × what was measured, or {least} if that is more"
    return "allowed", f"{least} ({floor.source})"


def _left(report: Report) -> Iterator[tuple[str, str]]:
    left, test = report.comparisons.get(_LEFT), report.precision_test
    if left is not None and left.allowed is not None:
        largest = "NaN" if left.max_abs_diff is None else f"{left.max_abs_diff:.2g}"
        yield "left", f"largest difference {largest}, rounding explains up to {left.allowed:.2g}"
    if test is not None:
        said = f"{test.ratio:.3g} times as far from float32 as the prompts alone, at least {test.at_least:.3g} times "
        said += f"with {100 * test.confidence:g} % confidence ({test.steps} steps); "
        said += f"rounding explains up to {test.harmless:g} times"
        yield "left, all steps", said
