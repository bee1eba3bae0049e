"""The noise floor: what rounding alone was seen to do to a model's logits, and the tolerance that follows from it."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from padcheck.core.evidence import NoiseProbe, RowDifference, RunResult
from padcheck.core.run_plans import RUN_PLANS
from padcheck.core.tolerances import FACTOR, Tolerance, bounded_tolerance, given_tolerance, least_tolerance

NoiseMethod = Literal["measured", "bound", "given"]

_PERTURBED = "rounding_errors"
_TWINS_OWN = "float32_rounding_errors"


class NoiseWay(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which rounding was measured. It is not `counted` where more than rounding must be in it."""

    name: str
    description: str
    max_abs_diff: float | None
    counted: bool
    error: str | None = None


class NoiseFloor(msgspec.Struct, frozen=True, kw_only=True):
    """How large a difference rounding alone makes here, in logit units, and what is allowed for it.

    Allowed is the larger of `factor * measured` and `atol + rtol * (largest absolute logit of the reference)`. Where
    nothing could be measured (`bound`), or the user gave the numbers (`given`), the latter alone counts.
    `measured_in_float32` is the floor of the float32 copy of a 16-bit model.
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
    """The floor of one run.

    The random rounding errors are what it rests on, since nothing but rounding is in them. Any other way counts where
    it stays within what they explain; beyond that it is a fault (of a batch, a cache, an attention implementation)
    and must not widen what padding is allowed.

    Args:
        dtype: In which the model ran.
        num_layers: Its depth.
        noise: What was run to see rounding.
        differences: Of the arms that ran in this dtype, by name; those without padding count.
        atol: Overrides what was measured, as does `rtol`.
        rtol: See `atol`.
    """
    twin = noise.get(_TWINS_OWN)
    core = _largest(noise[_PERTURBED].differences) if _PERTURBED in noise else None
    ways = [_way(name, probe, core) for name, probe in noise.items() if name != _TWINS_OWN]
    for name, plan in RUN_PLANS.items():
        # The same as its reference in exact arithmetic: it raises the floor too, unless it shows a fault.
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
        measured_in_float32=None if twin is None else _largest(twin.differences),
        factor=FACTOR,
        atol=least.atol,
        rtol=least.rtol,
        source=least.source,
        ways=tuple(ways),
    )


def tolerance_of(floor: NoiseFloor, arm: RunResult) -> Tolerance:
    """What the floor allows an arm. What the user gave counts for every arm, whatever its dtype."""
    if arm.dtype is not None and floor.method != "given":
        if floor.measured_in_float32 is None:
            return bounded_tolerance(arm.dtype, floor.num_layers)
        return least_tolerance(arm.dtype)._replace(floor=floor.measured_in_float32)
    measured = floor.measured if floor.method == "measured" else None
    return Tolerance(floor.atol, floor.rtol, floor.source, measured or 0.0)


def _way(name: str, probe: NoiseProbe, core: float | None) -> NoiseWay:
    far = _largest(probe.differences)
    counted = far is not None and core is not None and (name == _PERTURBED or far <= FACTOR * core)
    return NoiseWay(name=name, description=probe.description, max_abs_diff=far, counted=counted, error=probe.error)


def _largest(differences: Iterable[RowDifference]) -> float | None:
    steps = [step.max_abs_diff for difference in differences for step in difference.steps]
    return max((far for far in steps if far is not None), default=None)
