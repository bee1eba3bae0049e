import pytest
from builders import (
    ask,
    difference,
    differences,
    finding,
    gave,
    model_facts,
    probes,
    raised,
    rows_of,
    runs,
    unpadded_difference,
)

from padcheck.core.run_results import RowDifference
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad206_depends_on_batch import DependsOnBatch


def test_fires_if_a_row_without_pads_is_different() -> None:
    found = finding(DependsOnBatch(), differences=differences(left=(unpadded_difference(0.5), difference(0.0))))
    assert found.severity is Severity.ERROR
    assert "Prompt 0 has no pads in left and still differs" in found.message
    assert "largest difference 0.5, rounding explains up to 0.0002" in found.message
    assert found.evidence == {
        "arm": "left",
        "copies_are_right": True,
        "prompts": [0],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
    }
    assert found.message.endswith("A batch of copies is right, so it depends on which prompts are its neighbours.")
    assert found.fix.startswith("# batch prompts of equal length, or run them one by one")


def test_the_numbers_are_those_of_the_run_that_is_furthest_off() -> None:
    changed = differences(left=(unpadded_difference(0.2),), right=(unpadded_difference(0.4),))
    found = finding(DependsOnBatch(), differences=changed)
    assert "in right and still differs" in found.message
    assert found.evidence["max_abs_diff"] == 0.4


@pytest.mark.parametrize("run", ["few_copies", "batched"])
def test_fires_if_copies_of_a_prompt_give_other_logits(run: str) -> None:
    found = finding(DependsOnBatch(), **probes(**{run: 0.5}))
    assert found.message.startswith(f"Prompt 1 has no pads in {run} and still differs from the prompt alone:")
    assert (found.evidence["arm"], found.evidence["prompts"]) == (run, [1])
    assert found.evidence["copies_are_right"] is False
    assert found.fix.startswith("# run prompts one by one")


def test_fires_if_a_prompt_alone_gives_other_logits_when_it_runs_again() -> None:
    found = finding(DependsOnBatch(), **probes(forward_again=0.5))
    assert found.message == (
        "Prompt 1 gives other logits when it runs again, alone as before: "
        "largest difference 0.5, rounding explains up to 0.0002."
    )
    assert found.evidence["arm"] == "forward_again"


@pytest.mark.parametrize("run", ["forward", "replayed", "uncached", "shifted"])
def test_silent_if_a_prompt_alone_was_run_in_another_way(run: str) -> None:
    assert ask(DependsOnBatch(), **probes(**{run: 0.5})) is None


@pytest.mark.parametrize(
    "run", ["other_positions", "left_forward_positions", "left_other_attention", "right_continued"]
)
def test_silent_if_a_row_without_pads_differs_in_positions_kernels_or_cache(run: str) -> None:
    assert ask(DependsOnBatch(), **gave(**{run: (unpadded_difference(0.5), difference(0.5))})) is None


def test_fires_if_nothing_is_allowed() -> None:
    changed = differences(left=(unpadded_difference(1e-9),))
    assert finding(DependsOnBatch(), atol=0.0, rtol=0.0, differences=changed).evidence["allowed"] == 0


@pytest.mark.parametrize(
    "rows",
    [(unpadded_difference(1e-5),), (unpadded_difference(0.0), difference(0.5)), (unpadded_difference(None),)],
    ids=["rounding", "a row with pads (PAD201)", "NaN (PAD204)"],
)
def test_silent_if_it_is_not_the_batch_alone_that_changes_a_number(rows: tuple[RowDifference, ...]) -> None:
    assert ask(DependsOnBatch(), differences=differences(left=rows)) is None


def test_fires_if_a_padded_row_is_right_alone_with_the_same_pads() -> None:
    found = finding(DependsOnBatch(), **probes(left=0.5, left_alone=0.0))
    assert found.message.startswith("With the same pads prompt 1 is right alone and wrong next to its neighbours:")
    assert (found.evidence["arm"], found.evidence["prompts"]) == ("left", [1])


@pytest.mark.parametrize(
    "changes",
    [probes(left=0.5, left_alone=0.4), gave(left=rows_of("left", 0.0, 0.5), left_alone=rows_of("left_alone", 0.0))],
    ids=["wrong alone too", "only a later token is wrong (PAD303)"],
)
def test_silent_if_the_pads_or_the_cache_are_at_fault(changes: dict[str, object]) -> None:
    assert ask(DependsOnBatch(), **changes) is None


def test_silent_if_the_prompt_alone_is_wrong_from_its_cache() -> None:
    later = {run: (unpadded_difference(0.0, 0.5),) for run in ("left", "uncached")}
    assert ask(DependsOnBatch(), **gave(**later)) is None
    at_once = {"left": (unpadded_difference(0.5, 0.5),), "uncached": later["uncached"]}
    assert finding(DependsOnBatch(), **gave(**at_once)).evidence["arm"] == "left"


BY_CONSTRUCTION = model_facts(batch_dependent="its columns are shared")


@pytest.mark.parametrize(
    "rows",
    [(unpadded_difference(0.5),), (unpadded_difference(0.0), difference(0.5))],
    ids=["a row without pads", "a row with pads"],
)
def test_by_construction_it_is_no_error_and_nothing_is_said_of_padding(rows: tuple[RowDifference, ...]) -> None:
    found = finding(DependsOnBatch(), model=BY_CONSTRUCTION, differences=differences(left=rows))
    assert found.severity is Severity.WARNING
    assert "by construction: its columns are shared" in found.message


def test_by_construction_too_it_is_silent_if_nothing_differs() -> None:
    assert ask(DependsOnBatch(), model=BY_CONSTRUCTION) is None


@pytest.mark.parametrize(
    "changes",
    [{"runs": {}}, {"runs": runs(left=raised("left"), right=raised("right")), "differences": {}}],
    ids=["no run", "the runs raised"],
)
def test_skipped_if_no_run_has_rows(changes: dict[str, object]) -> None:
    assert isinstance(ask(DependsOnBatch(), **changes), Skipped)
