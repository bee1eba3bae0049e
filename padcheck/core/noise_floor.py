"""The noise floor: how far rounding alone moves a model's logits, and the tolerance that follows from it."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from padcheck.core.evidence import NoiseProbe
from padcheck.core.run_plans import RUN_PLANS
from padcheck.core.run_results import RowDifference, RunResult
from padcheck.core.tolerances import FACTOR, Tolerance, bounded_tolerance, given_tolerance, least_tolerance

NoiseMethod = Literal["measured", "bound", "given"]

_RANDOM_ERRORS = "rounding_errors"
_RANDOM_ERRORS_IN_FLOAT32 = "float32_rounding_errors"


class NoiseWay(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which rounding was measured.

    Attributes:
        name: Its key in `Evidence.noise`, or the name of a run.
        description: What was run.
        max_abs_diff: The largest difference of two logits; None if nothing was compared.
        counted: False if the difference is too large to be rounding only, or unknown.
        error: Why it did not run, or what it raised.
    """

    name: str
    description: str
    max_abs_diff: float | None
    counted: bool
    error: str | None = None


class NoiseFloor(msgspec.Struct, frozen=True, kw_only=True):
    """How far rounding alone moves the logits of a model, and the tolerance that follows from it, in logit units.

    The larger of two numbers is allowed: `factor * measured`, and `atol + rtol * (largest absolute logit of the
    reference)`. Only the second counts if the method is `bound` or `given`.

    Attributes:
        method: `measured`; `bound` if nothing could be measured; `given` if the user set the tolerance.
        dtype: The model's dtype.
        num_layers: Its depth; the bound depends on it.
        measured: The largest difference of all ways that count.
        measured_in_float32: The same for a 16-bit model that runs in float32.
        factor: How many times the measured floor is allowed.
        atol: The absolute part of the fixed tolerance.
        rtol: The relative part.
        source: Where `atol` and `rtol` come from.
        ways: How rounding was measured.
    """

    method: NoiseMethod
    dtype: str
    num_layers: int | None = None
    measured: float | None
    measured_in_float32: float | None = None
    factor: float
    atol: float
    rtol: float
    source: str
    ways: tuple[NoiseWay, ...] = ()


def noise_floor(
    dtype: str | None,
    num_layers: int | None,
    noise: Mapping[str, NoiseProbe],
    differences: Mapping[str, tuple[RowDifference, ...]],
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> NoiseFloor:
    """The noise floor of one model.

    It is based on random rounding errors, which contain nothing but rounding. Another way of measuring counts only if
    it stays within what they explain. A larger difference is a fault of the batch, the cache or the attention
    implementation, and must not raise the tolerance for padding.

    Args:
        dtype: The dtype that the model ran in.
        num_layers: Its depth.
        noise: The probes that measure rounding, by name.
        differences: The runs in this dtype, by name. Those that equal their reference in exact arithmetic are used.
        atol: The user's absolute tolerance, in place of the measured one; None if the user set none.
        rtol: The user's relative tolerance; None if not given.
    """
    in_float32 = noise.get(_RANDOM_ERRORS_IN_FLOAT32)
    core = _largest(noise[_RANDOM_ERRORS].differences) if _RANDOM_ERRORS in noise else None
    ways = [_way(name, probe, core) for name, probe in noise.items() if name != _RANDOM_ERRORS_IN_FLOAT32]
    for name, plan in RUN_PLANS.items():
        # In exact arithmetic the run equals its reference. So it raises the floor too, unless it shows a fault.
        if plan.counts_as_noise is not None and name in differences:
            probe = NoiseProbe(description=plan.counts_as_noise, differences=differences[name])
            ways.append(_way(name, probe, core))
    measured = max((way.max_abs_diff for way in ways if way.counted and way.max_abs_diff is not None), default=None)
    method: NoiseMethod
    if atol is not None or rtol is not None:
        method, least = "given", given_tolerance(dtype, atol, rtol)
    elif measured is None:
        method, least = "bound", bounded_tolerance(dtype, num_layers)
    else:
        method, least = "measured", least_tolerance(dtype)
    return NoiseFloor(
        method=method,
        dtype=dtype or "unknown",
        num_layers=num_layers,
        measured=measured,
        measured_in_float32=None if in_float32 is None else _largest(in_float32.differences),
        factor=FACTOR,
        atol=least.atol,
        rtol=least.rtol,
        source=least.source,
        ways=tuple(ways),
    )


def tolerance_of(floor: NoiseFloor, run: RunResult) -> Tolerance:
    """The tolerance for a run. The user's own tolerance applies to all runs, also to those in float32."""
    if run.dtype is not None and floor.method != "given":
        if floor.measured_in_float32 is None:
            return bounded_tolerance(run.dtype, floor.num_layers)
        return least_tolerance(run.dtype)._replace(floor=floor.measured_in_float32)
    measured = floor.measured if floor.method == "measured" else None
    return Tolerance(floor.atol, floor.rtol, floor.source, measured or 0.0)


def _way(name: str, probe: NoiseProbe, core: float | None) -> NoiseWay:
    far = _largest(probe.differences)
    counted = far is not None and core is not None and (name == _RANDOM_ERRORS or far <= FACTOR * core)
    return NoiseWay(name=name, description=probe.description, max_abs_diff=far, counted=counted, error=probe.error)


def _largest(differences: Iterable[RowDifference]) -> float | None:
    steps = [step.max_abs_diff for difference in differences for step in difference.steps]
    return max((far for far in steps if far is not None), default=None)
