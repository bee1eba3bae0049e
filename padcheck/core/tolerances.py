"""How far rounding alone may move logits.

A difference is allowed that is no more than a few times what rounding was measured to make on this model, or no more
than numbers fixed for the dtype, whichever is larger. Both grow with the size of the logits (GPT-2's are near -100).
"""

import math
from typing import NamedTuple

FACTOR = 2.0
"""Times the measured floor. Over 552 runs of clean models of 14 families (2 and 8 layers, small and large weights,
eager and sdpa, up to 30 pads) padding moved logits by at most 1.0 times the floor in float32, and 0.85 in 16 bit."""

_EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The distance of neighbouring numbers at 1."""

_BOUND_FACTOR = 8.0


class Tolerance(NamedTuple):
    """An allowance in logit units, and where its numbers come from.

    Attributes:
        atol: Absolute part of the fixed allowance.
        rtol: Times the largest absolute logit of the reference at that step.
        floor: The measured floor; FACTOR times it is allowed where that is more. 0 where it does not count.
        source: Of the fixed part.
    """

    atol: float
    rtol: float
    source: str
    floor: float = 0.0

    def allowed(self, logit_scale: float) -> float:
        """The largest difference that passes at this logit scale."""
        return max(self.atol + self.rtol * logit_scale, FACTOR * self.floor)


def share_of_allowance(max_abs_diff: float | None, allowed: float) -> float:
    """How much of its allowance a difference uses up: above 1 is too much, infinite where there is no number at all."""
    if max_abs_diff is None:
        return math.inf
    if allowed == 0:
        return math.inf if max_abs_diff else 0.0
    return max_abs_diff / allowed


_LEAST = {
    "float64": Tolerance(1e-7, 1e-7, "torch.testing.assert_close, float64"),
    # Measured over 21 families, rounding stays below 1.4e-6 at logits of about 1 and below 2e-5 at 7B parameters;
    # faults begin near 0.1. torch.testing's 1.3e-6 is too tight for a deep model: errors of 32 layers add up.
    "float32": Tolerance(1e-4, 1e-5, "huggingface/transformers#25420; rounding <= 2e-5, faults >= 0.1"),
    "float16": Tolerance(0.0, _EPS["float16"], "neighbouring numbers at the largest logit, float16"),
    "bfloat16": Tolerance(0.0, _EPS["bfloat16"], "neighbouring numbers at the largest logit, bfloat16"),
}
"""What is allowed however small the measured floor is."""


def known_dtype(dtype: str | None) -> str:
    """The dtype whose numbers count. One that the table lacks is allowed as much as bfloat16."""
    return "float32" if dtype is None else dtype if dtype in _LEAST else "bfloat16"


def least_tolerance(dtype: str | None) -> Tolerance:
    """What is allowed in a dtype whatever is measured."""
    return _LEAST[known_dtype(dtype)]


def bounded_tolerance(dtype: str | None, num_layers: int | None) -> Tolerance:
    """A bound in place of a measured floor: rounding grows with the square root of the depth.

    The factor covers every run of FACTOR's table but those of mixtures, whose routers flip.
    """
    least = least_tolerance(dtype)
    rtol = _BOUND_FACTOR * _EPS[known_dtype(dtype)] * math.sqrt(num_layers or 32)
    return least._replace(
        rtol=max(least.rtol, rtol), source=f"a bound for {num_layers or 'an unknown number of'} layers"
    )


def given_tolerance(dtype: str | None, atol: float | None, rtol: float | None) -> Tolerance:
    """What the user gave; what of the two is not given is the dtype's."""
    least = least_tolerance(dtype)
    return Tolerance(least.atol if atol is None else atol, least.rtol if rtol is None else rtol, "given by the user")
