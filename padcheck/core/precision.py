"""Whether left padding adds to the errors that 16 bit makes: a fault that only 16 bit has can lie far below the floor.

The 16-bit logits of a left-padded row and those of the same prompt alone both differ from the logits in float32. If
padding changes nothing, both distances come from rounding alone and are alike on average; their ratio is taken step by
step, on the same tokens. Many steps together show a ratio that is far too small to see in any single one, as in the
three-way comparison of AWS Neuron's logit validation and in Monte Carlo arithmetic with a stated confidence (Parker,
1997; Sohier et al., Confidence intervals for stochastic arithmetic, 2021).
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import NormalDist, fmean, variance

import msgspec

from padcheck.core.evidence import PrecisionStep

CONFIDENCE = 0.999
"""Of the lower bound of the ratio."""

HARMLESS = 1.2
"""A padded row may be this much further from float32: its mask calls for other kernels, which round in another way."""

_FEWEST_STEPS = 8
_FEWEST_PROMPTS = 3


class PrecisionTest(msgspec.Struct, frozen=True, kw_only=True):
    """How much further from float32 left-padded rows are than the same prompts alone, in a 16-bit model.

    `ratio` is the geometric mean over `steps` steps of `prompts` prompts, `at_least` its lower bound with this
    `confidence`. Padding is at fault if that is more than `harmless`.
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
    """The ratio of both distances and its lower bound; None if too few steps can be compared.

    The ratio is the geometric mean over all steps. Steps of one prompt depend on each other, since they read the same
    cache: with several prompts the standard error comes from the variance between prompts if that gives a larger one.
    """
    logs = defaultdict(list)
    for step in steps:
        if step.left > 0 and step.alone > 0:
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
    """The quantile of Student's distribution; Abramowitz and Stegun 26.7.5, off by less than 3 % from 7 degrees on."""
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
