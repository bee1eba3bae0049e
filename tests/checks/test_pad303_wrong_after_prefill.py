import pytest
from builders import arms, ask, difference, differences, finding, raised, unpadded_difference

from padcheck.checks.pad303_wrong_after_prefill import WrongAfterPrefill
from padcheck.report import Skipped
from padcheck.severity import Severity


def left(*max_abs_diffs: float | None):
    return differences(left=(unpadded_difference(0.0, 0.0), difference(*max_abs_diffs)))


def test_fires_where_the_first_step_is_right_and_a_later_one_is_not() -> None:
    found = finding(WrongAfterPrefill(), differences=left(1e-6, 0.5))
    assert found.severity is Severity.ERROR
    assert "max_abs_diff 0.5 at prompt 1, token 1" in found.message


@pytest.mark.parametrize("steps", [(0.5, 0.6), (0.0, 1e-6), (0.5,)], ids=["from the start", "rounding", "one step"])
def test_silent_where_decoding_is_not_what_goes_wrong(steps: tuple[float, ...]) -> None:
    assert ask(WrongAfterPrefill(), differences=left(*steps)) is None


def test_skipped_where_the_left_arm_did_not_run() -> None:
    outcome = ask(WrongAfterPrefill(), arms=arms(left=raised("left")), differences=differences(left=()))
    assert isinstance(outcome, Skipped)
