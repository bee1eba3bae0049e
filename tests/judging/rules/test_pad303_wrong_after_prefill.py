import pytest
from builders import ask, difference, differences, finding, gave, raised, rows_of, runs, sweep, unpadded_difference
from msgspec.structs import replace

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.rules.pad303_wrong_after_prefill import WrongAfterPrefill


def left(*max_abs_diffs: float | None):
    return differences(left=(unpadded_difference(0.0, 0.0), difference(*max_abs_diffs)))


def test_fires_if_the_first_step_is_right_and_a_later_one_is_not() -> None:
    found = finding(WrongAfterPrefill(), differences=left(1e-6, 0.5))
    assert found.severity is Severity.ERROR
    assert "largest difference 0.5 (prompt 1, token 1), rounding explains up to 0.0002." in found.message
    assert found.evidence == {
        "prompts": [1],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
        "step": 1,
        "mask_dropped": False,
        "right_without_cache": False,
        "wrong_in_a_batch_of_one": [1],
    }
    assert found.fix.startswith("#")


LATER = rows_of("left", 0.0, 0.5)


@pytest.mark.parametrize(
    ("steps", "prompts"), [((0.0, 0.5), [1]), ((0.0, 0.0), []), ((0.0,), [])], ids=["wrong", "right", "one step only"]
)
def test_says_if_the_neighbours_are_not_to_blame(steps: tuple[float, ...], prompts: list[int]) -> None:
    found = finding(WrongAfterPrefill(), **gave(left=LATER, left_alone=rows_of("left_alone", *steps)))
    assert found.evidence["wrong_in_a_batch_of_one"] == prompts
    assert ("In a batch of one, prompt 1 is wrong too, with 2 pads." in found.message) == bool(prompts)


def test_says_that_the_mask_is_dropped_if_other_ids_under_it_change_the_next_token() -> None:
    found = finding(WrongAfterPrefill(), **gave(left=LATER, scrambled=rows_of("scrambled", 1e-6, 0.3)))
    assert "The mask is dropped while decoding" in found.message
    assert (found.evidence["mask_dropped"], found.evidence["right_without_cache"]) == (True, False)


def test_says_that_the_cache_is_at_fault_if_it_is_right_without_one() -> None:
    rows = {"uncached": rows_of("uncached", 0.0, 0.0), "left_uncached": rows_of("left_uncached", 0.0, 1e-6)}
    found = finding(WrongAfterPrefill(), **gave(left=LATER, **rows))
    assert "Without a cache it is right" in found.message
    assert (found.evidence["mask_dropped"], found.evidence["right_without_cache"]) == (False, True)
    assert found.fix.startswith("model.generate(**inputs, use_cache=False)")


def test_blames_nothing_if_it_is_wrong_without_a_cache_too() -> None:
    rows = {"uncached": rows_of("uncached", 0.0, 0.0), "left_uncached": rows_of("left_uncached", 0.0, 0.5)}
    found = finding(WrongAfterPrefill(), **gave(left=LATER, **rows))
    assert found.message.endswith("is wrong too, with 2 pads.")
    assert found.evidence["right_without_cache"] is False


@pytest.mark.parametrize(
    ("first", "fires"), [((1e-3, 100.0), True), ((1e-3, 1.0), False)], ids=["large logits", "small logits"]
)
def test_the_first_token_is_judged_by_its_own_allowance(first: tuple[float, float], fires: bool) -> None:
    """A difference of a thousandth is rounding if logits are near 100, but not if they are near 1."""
    max_abs_diff, logit_scale = first
    steps = (difference(max_abs_diff, logit_scale=logit_scale).steps[0], difference(0.5).steps[0])
    rows = (unpadded_difference(0.0, 0.0), replace(difference(0.0), steps=steps))
    assert (ask(WrongAfterPrefill(), differences=differences(left=rows)) is not None) == fires


@pytest.mark.parametrize(("counts", "fires"), [({1: 0.0, 2: 0.0, 3: 1e-6}, True), ({1: 0.5, 2: 0.0, 3: 0.0}, False)])
def test_skipped_if_another_number_of_pads_makes_the_first_token_wrong(counts: dict[int, float], fires: bool) -> None:
    outcome = ask(WrongAfterPrefill(), sweep=sweep(counts), **gave(left=LATER))
    skipped = Skipped(code="PAD303", reason="with other pad counts the first token is wrong too")
    assert isinstance(outcome, Finding) if fires else outcome == skipped


def test_silent_if_one_row_is_off_from_the_start() -> None:
    rows = (unpadded_difference(0.0, 0.0), difference(0.0, 0.5), difference(0.5, prompt_index=2))
    assert ask(WrongAfterPrefill(), differences=differences(left=rows)) is None


@pytest.mark.parametrize("steps", [(0.5, 0.6), (0.0, 1e-6), (0.5,)], ids=["from the start", "rounding", "one step"])
def test_silent_if_decoding_is_not_what_goes_wrong(steps: tuple[float, ...]) -> None:
    assert ask(WrongAfterPrefill(), differences=left(*steps)) is None


def test_skipped_if_the_left_padded_batch_did_not_run() -> None:
    outcome = ask(WrongAfterPrefill(), runs=runs(left=raised("left")), differences=differences(left=()))
    assert isinstance(outcome, Skipped)
