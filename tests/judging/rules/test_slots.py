import pytest
from builders import evidence, sweep

from padcheck.judging.case import Step
from padcheck.judging.compare import open_case
from padcheck.judging.pad_count_pattern import period, varies

COUNTS = (*range(1, 13), 15, 16, 31, 32, 33)
ALLOWED = 2e-4


def steps(max_abs_diffs: dict[int, float | None]) -> list[Step]:
    case, _ = open_case(evidence(sweep=sweep(max_abs_diffs)))
    return case.sweep()


def right_behind(*right: int, counts: tuple[int, ...] = COUNTS) -> list[Step]:
    return steps({count: 0.0 if count in right else 0.5 for count in counts})


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 8, 16])
def test_the_least_size_whose_multiples_are_right_is_a_period(size: int) -> None:
    assert period(right_behind(*(count for count in COUNTS if count % size == 0))) == size


@pytest.mark.parametrize(
    ("right", "found"),
    [
        (COUNTS, None),
        ((), None),
        ((12,), None),
        ((1, 2, 3), None),
        ((1, 4, 8, 12, 16, 32), 4),
        ((1, 4, 5, 8, 9, 12, 16, 32, 33), 4),
        (tuple(count for count in COUNTS if count > 8), None),
        ((4, 8, 12, 16), None),
        ((3, 4, 6, 9, 12, 15, 33), 3),
        ((4, 8, 12, 16, 31, 32), 4),
    ],
    ids=[
        "all are right",
        "none is right",
        "one lucky number",
        "a few pads",
        "one pad too",
        "two ways to lie in a block",
        "many pads",
        "a multiple is wrong",
        "right in between too",
        "a lucky number after a multiple",
    ],
)
def test_what_is_and_is_no_period(right: tuple[int, ...], found: int | None) -> None:
    assert period(right_behind(*right)) == found


def test_a_size_of_which_one_multiple_alone_was_run_is_no_period() -> None:
    assert period(right_behind(7, counts=(1, 2, 3, 7))) is None
    assert period(right_behind(7, 14, counts=(1, 2, 3, 7, 8, 14))) == 7


def test_nan_is_wrong() -> None:
    assert period(steps({1: None, 2: 0.0, 3: None, 4: 0.0})) == 2


@pytest.mark.parametrize(
    ("max_abs_diffs", "found"),
    [
        ({1: 0.4, 2: 0.4 + 0.9 * ALLOWED}, False),
        ({1: 0.4, 2: 0.4 + 1.1 * ALLOWED}, True),
        ({1: 0.4, 2: 0.4, 3: 0.5, 4: 0.4}, True),
        ({1: 0.4, 2: None}, False),
        ({1: 0.4, 2: None, 3: 0.6}, True),
        ({1: 0.4}, False),
        ({}, False),
    ],
)
def test_a_difference_varies_if_it_changes_by_more_than_rounding(
    max_abs_diffs: dict[int, float | None], found: bool
) -> None:
    assert varies(steps(max_abs_diffs)) is found
