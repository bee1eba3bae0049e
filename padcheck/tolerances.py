"""How far rounding alone may move logits: fixed numbers per dtype, each with its source.

Rounding grows with the size of the logits (GPT-2's are near -100), so the allowance is `atol + rtol * scale`, where
scale is the largest absolute logit of the reference at that step.
"""

import math
from typing import NamedTuple


class Tolerance(NamedTuple):
    """An allowance in logit units, and where its numbers come from."""

    atol: float
    rtol: float
    source: str

    def allowed(self, logit_scale: float) -> float:
        """The largest difference that passes at this logit scale."""
        return self.atol + self.rtol * logit_scale


def share_of_allowance(max_abs_diff: float | None, allowed: float) -> float:
    """How much of its allowance a difference uses up: above 1 is too much, infinite where there is no number at all."""
    if max_abs_diff is None:
        return math.inf
    if allowed == 0:
        return math.inf if max_abs_diff else 0.0
    return max_abs_diff / allowed


_PER_DTYPE = {
    "float64": Tolerance(1e-7, 1e-7, "torch.testing.assert_close, float64"),
    # Measured over 21 families, rounding stays below 1.4e-6 at logits of about 1 and below 2e-5 at 7B parameters;
    # faults begin near 0.1. torch.testing's 1.3e-6 is too tight for a deep model: errors of 32 layers add up.
    "float32": Tolerance(1e-4, 1e-5, "huggingface/transformers#25420; rounding <= 2e-5, faults >= 0.1"),
    "float16": Tolerance(5e-3, 5e-3, "transformers tests, eager against sdpa, float16"),
    # The tests of transformers allow 3 % of the largest logit; correct padding was seen to move logits of scale 4 by
    # 0.04 to 0.1.
    "bfloat16": Tolerance(1e-2, 3e-2, "transformers tests, eager against sdpa, bfloat16"),
}


def tolerance_for(dtype: str, atol: float | None = None, rtol: float | None = None) -> Tolerance:
    """The tolerance of a dtype, with what the user asked for in place of the table's numbers.

    Args:
        dtype: A torch dtype without its prefix. One that the table lacks is allowed as much as bfloat16.
        atol: Overrides the absolute part.
        rtol: Overrides the relative part.
    """
    standard = _PER_DTYPE.get(dtype, _PER_DTYPE["bfloat16"])
    if atol is None and rtol is None:
        return standard
    return Tolerance(
        standard.atol if atol is None else atol,
        standard.rtol if rtol is None else rtol,
        "given by the user",
    )
