"""The test whether left padding adds to the errors of 16 bit: many steps show a fault, few steps do not."""

import math
import random
from collections.abc import Sequence

import pytest
from builders import precision, report

from padcheck.core.evidence import PrecisionStep
from padcheck.core.precision import CONFIDENCE, HARMLESS, _student, precision_test
from padcheck.core.report import PrecisionTest
from padcheck.core.settings import JudgeSettings

NOISE = 0.5
"""The standard deviation of the logarithm of one step's ratio, as measured on small models."""


def noisy(
    ratio: float, *, steps: int, prompts: int = 1, of_prompt: float = 0.0, seed: int = 0
) -> tuple[PrecisionStep, ...]:
    """Steps whose ratio is `ratio` on average. All steps of a prompt share the deviation `of_prompt`."""
    draw = random.Random(seed)
    found: list[PrecisionStep] = []
    for index in range(prompts):
        shared = draw.gauss(0.0, of_prompt)
        ratios = (ratio * math.exp(shared + draw.gauss(0.0, NOISE)) for _ in range(steps))
        found += precision(*ratios, prompt_index=index)
    return tuple(found)


def ratio_test(steps: Sequence[PrecisionStep]) -> PrecisionTest:
    found = precision_test(steps)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_ratio_of_one_is_no_fault(seed: int) -> None:
    found = ratio_test(noisy(1.0, steps=40, seed=seed))
    assert found.at_least < found.ratio
    assert found.ratio == pytest.approx(1.0, abs=0.35)
    assert not found.shows_fault


@pytest.mark.parametrize("seed", range(20))
def test_twice_the_distance_over_forty_noisy_steps_is_a_fault(seed: int) -> None:
    found = ratio_test(noisy(2.0, steps=40, seed=seed))
    assert (found.steps, found.prompts) == (40, 1)
    assert (found.confidence, found.harmless) == (CONFIDENCE, HARMLESS)
    assert found.ratio == pytest.approx(2.0, rel=0.35)
    assert HARMLESS < found.at_least < found.ratio
    assert found.shows_fault


def test_the_ratio_is_the_geometric_mean() -> None:
    assert ratio_test(precision(*[0.5, 2.0] * 10)).ratio == pytest.approx(1.0)
    assert ratio_test(precision(*[1.0, 4.0] * 10)).ratio == pytest.approx(2.0)


def test_the_same_ratio_at_every_step_has_a_lower_bound_equal_to_it() -> None:
    found = ratio_test(precision(*[1.5] * 8))
    assert (found.ratio, found.at_least) == (pytest.approx(1.5), pytest.approx(1.5))


@pytest.mark.parametrize("ratio", [HARMLESS - 0.01, HARMLESS + 0.01])
def test_a_ratio_that_other_kernels_explain_is_no_fault(ratio: float) -> None:
    assert ratio_test(precision(*[ratio] * 20)).shows_fault == (ratio > HARMLESS)


@pytest.mark.parametrize("steps", [(), precision(*[3.0] * 7)], ids=["none", "too few"])
def test_few_steps_say_nothing(steps: tuple[PrecisionStep, ...]) -> None:
    assert precision_test(steps) is None
    assert ratio_test(precision(*[3.0] * 8)).steps == 8


def test_a_step_that_is_exact_on_one_side_has_no_ratio_and_does_not_count() -> None:
    exact = PrecisionStep(prompt_index=0, num_pad_tokens=2, step=0, left=0.0, alone=0.01)
    other = PrecisionStep(prompt_index=0, num_pad_tokens=2, step=1, left=0.01, alone=0.0)
    assert ratio_test((*precision(*[2.0] * 8), exact, other)).steps == 8
    assert precision_test((exact, other) * 10) is None


def test_steps_of_a_prompt_that_are_alike_widen_the_bound() -> None:
    """The same numbers twice: spread evenly over the prompts, and sorted so that each prompt has similar ones."""
    draw = random.Random(0)
    logs = sorted(draw.gauss(0.7, NOISE) for _ in range(40))
    alike = [logs[start : start + 10] for start in range(0, 40, 10)]
    mixed = [logs[start::4] for start in range(4)]

    def steps(of_prompts: list[list[float]]) -> list[PrecisionStep]:
        return [
            step
            for index, values in enumerate(of_prompts)
            for step in precision(*map(math.exp, values), prompt_index=index)
        ]

    dependent, independent = ratio_test(steps(alike)), ratio_test(steps(mixed))
    assert dependent.ratio == pytest.approx(independent.ratio)
    assert dependent.prompts == independent.prompts == 4
    assert independent.shows_fault
    assert dependent.at_least < 0.5 * independent.at_least
    assert not dependent.shows_fault


@pytest.mark.parametrize("seed", range(10))
def test_one_prompt_that_is_off_by_chance_is_no_fault(seed: int) -> None:
    assert not ratio_test(noisy(1.0, steps=40, prompts=4, of_prompt=0.5, seed=seed)).shows_fault


@pytest.mark.parametrize(("freedom", "quantile"), [(7, 4.785), (20, 3.552), (39, 3.313), (1000, 3.098)])
def test_the_quantile_is_students(freedom: int, quantile: float) -> None:
    assert _student(0.999, freedom) == pytest.approx(quantile, rel=0.03)


def test_it_is_part_of_the_report_unless_the_user_sets_a_tolerance() -> None:
    steps = precision(*[2.0] * 10)
    found = report(precision=steps)
    assert found.precision_test == precision_test(steps)
    assert "PAD201" in [finding.code for finding in found.findings]
    given = report(settings=JudgeSettings(atol=1e-4), precision=steps)
    assert given.precision_test is None
    assert given.findings == ()
