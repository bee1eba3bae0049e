"""What is said about a prompt in each user run."""

import pytest
from builders import (
    SHORT,
    batch,
    difference,
    differences,
    flip,
    raised,
    report,
    row,
    run_result,
    runs,
    unpadded_difference,
)

from padcheck.core.run_results import RowDifference, RunResult
from padcheck.reporters.report.wording import prompts

UNPADDED = unpadded_difference(0.0)


@pytest.mark.parametrize(
    ("left", "outcome"),
    [
        (difference(0.0), "same tokens"),
        (difference(1e-5), "same tokens"),
        (difference(1e-5, flip=flip(0)), "differs from token 0 on (rounding)"),
        (difference(0.0, 0.5, flip=flip(1)), "differs from token 1 on"),
        (difference(0.5), "same tokens, but {reason}"),
        (difference(None), "same tokens, but {reason}"),
    ],
)
def test_a_row_is_compared_with_the_same_prompt_alone(left: RowDifference, outcome: str) -> None:
    found = report(differences=differences(left=(UNPADDED, left)))
    outcome = outcome.format(reason=found.comparisons["left"].rows[1].reason)
    assert [output.outcome for output in prompts.outputs(found, 1)] == ["the reference", outcome, "same tokens"]


def test_a_row_without_a_reference_is_not_compared() -> None:
    found = report(runs=runs(single=raised(None)), differences={})
    assert [(output.run, output.outcome) for output in prompts.outputs(found, 0)] == [
        ("left", "not compared"),
        ("right", "not compared"),
    ]


@pytest.mark.parametrize(
    ("prompt_index", "changes", "titles"),
    [
        (0, {}, ["single, left, right"]),
        (1, {}, ["single", "left", "right"]),
        (0, {"right": run_result("right", rows=batch("right", new=(20, 30)))}, ["single, left", "right"]),
        (0, {"left": raised("left")}, ["single, right"]),
    ],
    ids=["no pads", "pads on either side", "another token", "a run without rows"],
)
def test_runs_that_agree_in_every_column_are_shown_once(
    prompt_index: int, changes: dict[str, RunResult], titles: list[str]
) -> None:
    found = report(runs=runs(**changes))
    assert [title for title, _ in prompts.distinct_rows(prompts.outputs(found, prompt_index))] == titles


def test_runs_that_received_different_positions_are_shown_apart() -> None:
    odd = row(0, position_ids=(5, 6, 7, 8, None))
    found = report(runs=runs(left=run_result("left", rows=(odd, row(1, prompt=SHORT, num_pads=2)))))
    columns = prompts.distinct_rows(prompts.outputs(found, 0))
    assert [title for title, _ in columns] == ["single, right", "left"]
    assert columns[1][1] is odd


def test_runs_that_used_different_positions_are_shown_apart() -> None:
    odd = row(0, positions_used=(5, 6, 7, 8, None), positions_used_by="table")
    found = report(runs=runs(left=run_result("left", rows=(odd, row(1, prompt=SHORT, num_pads=2)))))
    assert [title for title, _ in prompts.distinct_rows(prompts.outputs(found, 0))] == ["single, right", "left"]
