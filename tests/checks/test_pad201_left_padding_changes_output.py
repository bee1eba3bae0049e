import pytest
from builders import arms, ask, difference, differences, finding, many_prompts, raised, unpadded_difference

from padcheck.checks.pad201_left_padding_changes_output import LeftPaddingChangesOutput
from padcheck.evidence import RowDifference
from padcheck.report import Skipped
from padcheck.severity import Severity

UNPADDED = unpadded_difference(0.0, 0.0)


def test_fires_where_a_padded_row_is_different() -> None:
    found = finding(LeftPaddingChangesOutput(), differences=differences(left=(UNPADDED, difference(0.0, 0.5))))
    assert found.severity is Severity.ERROR
    assert "1 of 2 prompts differ" in found.message
    assert "max_abs_diff 0.5 at prompt 1, token 1 (0.0002 allowed)" in found.message
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4), "step": 1}
    assert found.fix.startswith("#")


def test_the_numbers_are_those_of_the_row_that_is_furthest_off() -> None:
    rows = (UNPADDED, difference(0.2, prompt_index=1), difference(0.4, prompt_index=2))
    found = finding(LeftPaddingChangesOutput(), **many_prompts(3) | {"differences": differences(left=rows)})
    assert found.evidence["prompts"] == [1, 2]
    assert "max_abs_diff 0.4 at prompt 2" in found.message


def test_fires_where_nothing_is_allowed() -> None:
    rows = (UNPADDED, difference(1e-9))
    found = finding(LeftPaddingChangesOutput(), atol=0.0, rtol=0.0, differences=differences(left=rows))
    assert found.evidence["allowed"] == 0


@pytest.mark.parametrize(
    "rows",
    [(UNPADDED, difference(1e-5)), (unpadded_difference(0.5), difference(0.0)), (UNPADDED, difference(None))],
    ids=["rounding", "a row without pads (PAD206)", "NaN (PAD204)"],
)
def test_silent_where_it_is_not_padding_that_changes_a_number(rows: tuple[RowDifference, ...]) -> None:
    assert ask(LeftPaddingChangesOutput(), differences=differences(left=rows)) is None


def test_silent_where_only_the_right_arm_is_different() -> None:
    assert ask(LeftPaddingChangesOutput(), differences=differences(right=(UNPADDED, difference(0.5)))) is None


@pytest.mark.parametrize(
    "changes",
    [{"arms": {}}, {"arms": arms(left=raised("left")), "differences": differences(left=())}],
    ids=["no arm", "the arm raised"],
)
def test_skipped_where_the_left_arm_has_no_rows(changes: dict[str, object]) -> None:
    outcome = ask(LeftPaddingChangesOutput(), **changes)
    assert outcome == Skipped(code="PAD201", reason="the left arm has no row to compare")
