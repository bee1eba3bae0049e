import pytest

from padcheck.tolerances import Tolerance, tolerance_for

DTYPES = ("float64", "float32", "float16", "bfloat16")


@pytest.mark.parametrize("logit_scale", [0.0, 1.0, 100.0])
def test_a_coarser_dtype_is_allowed_more(logit_scale: float) -> None:
    allowed = [tolerance_for(dtype).allowed(logit_scale) for dtype in DTYPES]
    assert allowed == sorted(allowed)
    assert len(set(allowed)) == len(DTYPES)


def test_the_allowance_grows_with_the_logits() -> None:
    assert Tolerance(0.5, 0.1, "").allowed(0.0) == 0.5
    assert Tolerance(0.5, 0.1, "").allowed(20.0) == 2.5


def test_float32_stays_well_below_the_smallest_fault_that_was_seen() -> None:
    assert 2e-5 < tolerance_for("float32").allowed(1.0) < tolerance_for("float32").allowed(100.0) < 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_number_has_a_source(dtype: str) -> None:
    assert tolerance_for(dtype).source


def test_a_dtype_that_the_table_lacks_is_allowed_as_much_as_bfloat16() -> None:
    assert tolerance_for("float8_e4m3fn") == tolerance_for("bfloat16")


@pytest.mark.parametrize(
    ("atol", "rtol", "expected"),
    [(1.0, None, (1.0, 1e-5)), (None, 1.0, (1e-4, 1.0)), (0.0, 0.0, (0.0, 0.0)), (2.0, 3.0, (2.0, 3.0))],
)
def test_what_the_user_gives_replaces_that_number_alone(
    atol: float | None, rtol: float | None, expected: tuple[float, float]
) -> None:
    tolerance = tolerance_for("float32", atol, rtol)
    assert (tolerance.atol, tolerance.rtol) == expected
    assert tolerance.source == "given by the user"
