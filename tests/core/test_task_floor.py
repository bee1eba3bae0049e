from padcheck.core.task_evidence import TaskNoise
from padcheck.core.task_floor import task_tolerance
from padcheck.core.tolerances import FACTOR

NOISE = {
    "float32": TaskNoise(max_abs_diff=1e-6, samples=2),
    "bfloat16": TaskNoise(max_abs_diff=0.2, samples=64),
}


def test_in_16_bit_the_measured_rounding_is_allowed() -> None:
    assert task_tolerance(NOISE, "bfloat16", None, 2).allowed(1.0) == FACTOR * 0.2


def test_in_float32_the_least_of_the_dtype_is_allowed() -> None:
    assert task_tolerance(NOISE, "float32", None, 2).allowed(1.0) < 2e-4


def test_a_16_bit_model_in_float32_may_differ_by_neighbouring_16_bit_numbers() -> None:
    allowed = task_tolerance(NOISE, "bfloat16", "float32", 2).allowed(4.0)
    assert 4.0 * 2**-7 <= allowed < 4.0 * 2**-6


def test_a_bound_if_nothing_was_measured() -> None:
    assert task_tolerance({}, "float32", None, 2).source.startswith("a bound")
    unmeasured = {"float32": TaskNoise(max_abs_diff=None, error="ValueError: no")}
    assert task_tolerance(unmeasured, "float32", None, 2).source.startswith("a bound")


def test_the_users_tolerance_applies_to_every_dtype() -> None:
    for dtype in (None, "float32"):
        assert task_tolerance(NOISE, "bfloat16", dtype, 2, atol=0.5, rtol=0.0).allowed(100.0) == 0.5
