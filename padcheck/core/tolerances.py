"""How large a difference of logits may be before it counts as a fault.

The larger of two numbers is allowed: FACTOR times the noise floor that was measured on this model, and a fixed
tolerance for the dtype. The fixed one grows with the largest logit (GPT-2's logits are near -100).
"""

import math
from typing import NamedTuple

FACTOR = 2.0
"""How many times the measured noise floor is allowed. Over 552 runs of models without faults (14 families, 2 and 8
layers, small and large weights, eager and sdpa, up to 30 pads) padding moved the logits by at most 1.0 times the floor
in float32, and 0.85 times in 16 bit."""

_EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The machine epsilon: the distance from 1 to the next larger number."""

_BOUND_FACTOR = 8.0


class Tolerance(NamedTuple):
    """How large a difference may be, in logit units.

    Attributes:
        atol: The absolute part of the fixed tolerance.
        rtol: The relative part: times the largest absolute logit of the reference at that step.
        source: Where `atol` and `rtol` come from.
        floor: The measured noise floor. FACTOR times it is allowed if that is more. 0 if it does not count.
    """

    atol: float
    rtol: float
    source: str
    floor: float = 0.0

    def allowed(self, logit_scale: float) -> float:
        """The largest difference that passes if this is the largest absolute logit."""
        return max(self.atol + self.rtol * logit_scale, FACTOR * self.floor)


def share_of_allowance(max_abs_diff: float | None, allowed: float) -> float:
    """A difference divided by what is allowed: above 1 is too much. Infinite if the difference is not finite."""
    if max_abs_diff is None:
        return math.inf
    if allowed == 0:
        return math.inf if max_abs_diff else 0.0
    return max_abs_diff / allowed


_LEAST = {
    "float64": Tolerance(1e-7, 1e-7, "torch.testing.assert_close, float64"),
    # Measured over 21 families: rounding stays below 1.4e-6 at logits of about 1, and below 2e-5 at 7B parameters.
    # Faults begin near 0.1. The 1.3e-6 of torch.testing is too tight for 32 layers, whose errors add up.
    "float32": Tolerance(1e-4, 1e-5, "huggingface/transformers#25420; rounding <= 2e-5, faults >= 0.1"),
    "float16": Tolerance(0.0, _EPS["float16"], "neighbouring numbers at the largest logit, float16"),
    "bfloat16": Tolerance(0.0, _EPS["bfloat16"], "neighbouring numbers at the largest logit, bfloat16"),
}
"""What is always allowed, even if the measured noise floor is smaller."""


DTYPES = tuple(_LEAST)
"""The dtypes of the table, the most exact one first."""


def known_dtype(dtype: str | None) -> str:
    """The dtype whose row of the table applies: float32 for None, bfloat16 for a dtype that the table lacks."""
    return "float32" if dtype is None else dtype if dtype in _LEAST else "bfloat16"


def least_tolerance(dtype: str | None) -> Tolerance:
    """What is always allowed in a dtype, whatever was measured."""
    return _LEAST[known_dtype(dtype)]


def bounded_tolerance(dtype: str | None, num_layers: int | None) -> Tolerance:
    """A tolerance for a model whose noise floor was not measured: rounding grows with the square root of the depth.

    It covers every run on which FACTOR is based, except those of mixture-of-experts models: their routers can choose
    another expert.
    """
    least = least_tolerance(dtype)
    rtol = _BOUND_FACTOR * _EPS[known_dtype(dtype)] * math.sqrt(num_layers or 32)
    return least._replace(
        rtol=max(least.rtol, rtol), source=f"a bound for {num_layers or 'an unknown number of'} layers"
    )


def given_tolerance(dtype: str | None, atol: float | None, rtol: float | None) -> Tolerance:
    """The user's tolerance. A missing atol or rtol falls back to the dtype's default."""
    least = least_tolerance(dtype)
    return Tolerance(least.atol if atol is None else atol, least.rtol if rtol is None else rtol, "given by the user")
