import math

import pytest

from padcheck.core.tolerances import (
    FACTOR,
    Tolerance,
    bounded_tolerance,
    given_tolerance,
    known_dtype,
    least_tolerance,
    share_of_allowance,
)

DTYPES = ("float64", "float32", "float16", "bfloat16")
UNIT = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


@pytest.mark.parametrize("logit_scale", [1.0, 100.0])
@pytest.mark.parametrize("num_layers", [1, 32, None])
def test_a_coarser_dtype_is_allowed_more(logit_scale: float, num_layers: int | None) -> None:
    allowed = [bounded_tolerance(dtype, num_layers).allowed(logit_scale) for dtype in DTYPES]
    assert allowed == sorted(allowed)
    assert len(set(allowed)) == len(DTYPES)


def test_the_allowance_grows_with_the_logits() -> None:
    assert Tolerance(0.5, 0.1, "").allowed(0.0) == 0.5
    assert Tolerance(0.5, 0.1, "").allowed(20.0) == 2.5


@pytest.mark.parametrize(
    ("floor", "allowed"), [(0.0, 2.5), (1.0, 2.5), (2.5 / FACTOR, 2.5), (3.0, 3.0 * FACTOR)], ids=str
)
def test_a_measured_floor_counts_if_it_allows_more(floor: float, allowed: float) -> None:
    assert Tolerance(0.5, 0.1, "", floor).allowed(20.0) == allowed


def test_float32_stays_well_below_the_smallest_fault_that_was_seen() -> None:
    for tolerance in (least_tolerance("float32"), bounded_tolerance("float32", 32)):
        assert 2e-5 < tolerance.allowed(1.0) < tolerance.allowed(100.0) < 0.1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_is_allowed_at_least_one_step_between_neighbours(dtype: str) -> None:
    assert least_tolerance(dtype).allowed(0.0) == 0.0
    assert least_tolerance(dtype).allowed(64.0) == 64 * UNIT[dtype]


@every_dtype
def test_every_number_has_a_source(dtype: str) -> None:
    assert least_tolerance(dtype).source
    assert bounded_tolerance(dtype, 12).source == "a bound for 12 layers"
    assert bounded_tolerance(dtype, None).source == "a bound for an unknown number of layers"


@pytest.mark.parametrize(
    ("dtype", "counts"),
    [
        (None, "float32"),
        ("float64", "float64"),
        ("float16", "float16"),
        ("float8_e4m3fn", "bfloat16"),
        ("uint8", "bfloat16"),
    ],
)
def test_a_dtype_that_the_table_lacks_is_allowed_as_much_as_bfloat16(dtype: str | None, counts: str) -> None:
    assert known_dtype(dtype) == counts
    assert least_tolerance(dtype) == least_tolerance(counts)
    assert bounded_tolerance(dtype, 4) == bounded_tolerance(counts, 4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("num_layers", [1, 4, 32])
def test_the_bound_grows_with_the_square_root_of_the_depth(dtype: str, num_layers: int) -> None:
    bound = bounded_tolerance(dtype, num_layers)
    assert bound.rtol == pytest.approx(8 * UNIT[dtype] * math.sqrt(num_layers))
    assert (bound.atol, bound.floor) == (0.0, 0.0)


@every_dtype
def test_an_unknown_depth_counts_as_32_layers(dtype: str) -> None:
    assert bounded_tolerance(dtype, None)[:2] == bounded_tolerance(dtype, 32)[:2]


@every_dtype
def test_the_bound_never_allows_less_than_the_least(dtype: str) -> None:
    least, bound = least_tolerance(dtype), bounded_tolerance(dtype, 1)
    assert bound.atol == least.atol
    assert bound.rtol >= least.rtol


def test_a_deep_model_in_float32_is_bounded_by_its_depth() -> None:
    assert bounded_tolerance("float32", 32).rtol == least_tolerance("float32").rtol
    assert bounded_tolerance("float32", 400).rtol == pytest.approx(8 * UNIT["float32"] * 20)


@pytest.mark.parametrize(
    ("atol", "rtol", "expected"),
    [(1.0, None, (1.0, 1e-5)), (None, 1.0, (1e-4, 1.0)), (0.0, 0.0, (0.0, 0.0)), (2.0, 3.0, (2.0, 3.0))],
)
def test_an_atol_or_rtol_of_the_user_replaces_only_that_number(
    atol: float | None, rtol: float | None, expected: tuple[float, float]
) -> None:
    tolerance = given_tolerance("float32", atol, rtol)
    assert (tolerance.atol, tolerance.rtol) == expected
    assert tolerance.source == "given by the user"
    assert tolerance.floor == 0.0


@pytest.mark.parametrize(
    ("max_abs_diff", "allowed", "share"),
    [
        (1.0, 2.0, 0.5),
        (2.0, 2.0, 1.0),
        (0.0, 2.0, 0.0),
        (0.0, 0.0, 0.0),
        (1e-30, 0.0, math.inf),
        (None, 2.0, math.inf),
        (None, 0.0, math.inf),
    ],
)
def test_the_share_of_an_allowance_that_a_difference_uses_up(
    max_abs_diff: float | None, allowed: float, share: float
) -> None:
    assert share_of_allowance(max_abs_diff, allowed) == share
