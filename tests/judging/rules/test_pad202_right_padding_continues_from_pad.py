import pytest
from builders import (
    SHORT,
    ask,
    difference,
    differences,
    finding,
    gave,
    many_prompts,
    row,
    rows_of,
    run_result,
    runs,
    unpadded_difference,
    without,
)

from padcheck.core.run_results import RowDifference
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad202_right_padding_continues_from_pad import RightPaddingContinuesFromPad

UNPADDED = unpadded_difference(0.0, 0.0)
DIFFERENT = differences(right=(UNPADDED, difference(0.5)))


def test_fires_if_a_padded_row_is_different() -> None:
    found = finding(RightPaddingContinuesFromPad(), differences=DIFFERENT)
    assert found.severity is Severity.WARNING
    assert "1 of 2 prompts continue from a pad slot" in found.message
    assert "largest difference 0.5 (prompt 1), rounding explains up to 0.0002." in found.message
    assert found.evidence == {
        "prompts": [1],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
        "prompts_with_colliding_positions": [],
        "prompts_with_wrong_cache": [],
    }
    assert found.fix.startswith('tokenizer.padding_side = "left"')


@pytest.mark.parametrize(
    ("position_ids", "colliding"),
    [((0, 1, 1, 0, None), [1]), ((0, 1, 1, 3, None), []), ((None,) * 5, [])],
    ids=["as the prompt's own", "after the prompt's", "the model takes none"],
)
def test_says_whether_new_tokens_got_positions_of_the_prompt(
    position_ids: tuple[int | None, ...], colliding: list[int]
) -> None:
    rows = (row(0), row(1, prompt=SHORT, num_pads=2, side="right", position_ids=position_ids))
    found = finding(
        RightPaddingContinuesFromPad(), runs=runs(right=run_result("right", rows=rows)), differences=DIFFERENT
    )
    assert found.evidence["prompts_with_colliding_positions"] == colliding
    assert ("positions that the prompt already uses" in found.message) == bool(colliding)


@pytest.mark.parametrize(
    ("continued", "wrong"),
    [((0.0, 0.5), [1]), ((0.5, 1e-6), []), ((0.0, None), [1])],
    ids=["the token after the prompt's", "the prompt's own next token (PAD402)", "NaN"],
)
def test_says_whether_the_cache_of_a_padded_prompt_can_be_continued(
    continued: tuple[float | None, ...], wrong: list[int]
) -> None:
    measured = {"right": rows_of("right", 0.5), "right_continued": rows_of("right_continued", *continued)}
    found = finding(RightPaddingContinuesFromPad(), **gave(**measured))
    assert found.evidence["prompts_with_wrong_cache"] == wrong
    assert found.message.endswith("The cache cannot be continued from the last real token either.") == bool(wrong)


@pytest.mark.parametrize(
    ("first", "third"),
    [(unpadded_difference(9.0), difference(0.0, prompt_index=2)), (UNPADDED, difference(None, prompt_index=2))],
    ids=["an unpadded row is further off", "a row has NaN"],
)
def test_the_numbers_are_those_of_the_rows_that_it_speaks_of(first: RowDifference, third: RowDifference) -> None:
    rows = (first, difference(0.5), third)
    found = finding(RightPaddingContinuesFromPad(), **many_prompts(3) | {"differences": differences(right=rows)})
    assert found.evidence["prompts"] == [1]
    assert found.evidence["max_abs_diff"] == 0.5


@pytest.mark.parametrize(
    "rows",
    [(UNPADDED, difference(1e-5)), (unpadded_difference(0.5), difference(0.0)), (UNPADDED, difference(None))],
    ids=["rounding", "a row without pads (PAD206)", "NaN (PAD204)"],
)
def test_silent_if_it_is_not_padding_that_changes_a_number(rows: tuple[RowDifference, ...]) -> None:
    assert ask(RightPaddingContinuesFromPad(), differences=differences(right=rows)) is None


def test_skipped_if_the_right_padded_batch_did_not_run() -> None:
    assert isinstance(ask(RightPaddingContinuesFromPad(), **without("right")), Skipped)
