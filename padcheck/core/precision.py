"""A statistical test for faults of 16-bit models that are smaller than the noise floor.

In 16 bit, the logits of a left-padded row and of the same prompt alone both differ from the logits in float32. If
padding changes nothing, both distances come from rounding only and are equal on average. The test takes their ratio at
each step, on the same tokens. Over many steps it finds a ratio that is too small to see in a single step.

Sources: the three-way comparison of AWS Neuron's logit validation; Monte Carlo arithmetic with a stated confidence
(Parker, 1997; Sohier et al., Confidence intervals for stochastic arithmetic, 2021).
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import NormalDist, fmean, variance

import msgspec

from padcheck.core.evidence import PrecisionStep

CONFIDENCE = 0.999
"""The probability that the true ratio is above its lower bound."""

HARMLESS = 1.2
"""The ratio that is still harmless: a padded row has a mask, so other kernels run, which round differently."""

_SMALLEST = 1e-30
"""A smaller distance is no rounding error of 16 bit, and its ratio to another one says nothing."""
_FEWEST_STEPS = 8
_FEWEST_PROMPTS = 3


class PrecisionTest(msgspec.Struct, frozen=True, kw_only=True):
    """How much further from float32 left-padded rows are than the same prompts alone, in a 16-bit model.

    Attributes:
        ratio: Distance of the padded row divided by that of the prompt alone: the geometric mean over all steps.
        at_least: Its lower bound, with this confidence. Padding is at fault if this is more than `harmless`.
        confidence: The probability that the true ratio is above `at_least`.
        harmless: The largest ratio that is harmless.
        steps: How many steps were compared.
        prompts: How many prompts they come from.
    """

    ratio: float
    at_least: float
    confidence: float
    harmless: float
    steps: int
    prompts: int

    @property
    def shows_fault(self) -> bool:
        """True if rounding does not explain the ratio."""
        return self.at_least > self.harmless


def precision_test(steps: Iterable[PrecisionStep]) -> PrecisionTest | None:
    """The ratio of both distances and its lower bound; None if there are too few steps.

    Steps of one prompt depend on each other, since they read the same cache. So with several prompts the standard
    error is also computed from the variance between prompts, and the larger one is used.
    """
    logs = defaultdict(list)
    for step in steps:
        if min(step.left, step.alone) > _SMALLEST:
            logs[step.prompt_index].append(math.log(step.left / step.alone))
    values = [value for of_prompt in logs.values() for value in of_prompt]
    if len(values) < _FEWEST_STEPS:
        return None
    error = math.sqrt(variance(values) / len(values))
    if len(logs) >= _FEWEST_PROMPTS:
        error = max(error, math.sqrt(variance(map(fmean, logs.values())) / len(logs)))
    mean = fmean(values)
    lower = math.exp(mean - _student(CONFIDENCE, len(values) - 1) * error)
    return PrecisionTest(
        ratio=math.exp(mean),
        at_least=lower,
        confidence=CONFIDENCE,
        harmless=HARMLESS,
        steps=len(values),
        prompts=len(logs),
    )


def _student(probability: float, freedom: int) -> float:
    """A quantile of Student's t-distribution: Abramowitz and Stegun 26.7.5, error below 3 % from 7 degrees on."""
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
