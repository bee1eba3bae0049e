import pytest
from builders import ask, finding, probes, report, sweep

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad205_depends_on_pad_count import DependsOnPadCount

ALLOWED = 2e-4
LEFT_DIFFERS = probes(left=0.5)


def test_fires_if_some_counts_are_right_and_others_wrong() -> None:
    found = finding(DependsOnPadCount(), sweep=sweep({1: 0.0, 2: 1e-6, 3: 0.0, 4: 0.3, 5: 0.5, 7: 0.4}), **LEFT_DIFFERS)
    assert found.severity is Severity.ERROR
    assert found.message == (
        "Prompt 0 is right with 1-3 pads and wrong with 4-5, 7: "
        "largest difference 0.5 (5 pads), rounding explains up to 0.0002."
    )
    assert found.evidence == {
        "prompt": 0,
        "right_pad_counts": [1, 2, 3],
        "wrong_pad_counts": [4, 5, 7],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(ALLOWED),
    }


@pytest.mark.parametrize(
    ("counts", "fix"),
    [
        ({1: 0.0, 3: 0.0, 4: 0.5, 33: 0.5}, "# more than 3 pads in a row are wrong: batch prompts of similar length"),
        ({1: 0.5, 4: 0.0, 5: 0.5}, "# batch prompts of equal length, or run them one by one"),
        ({1: 0.0, 4: 0.5, 5: 0.0}, "# batch prompts of equal length, or run them one by one"),
    ],
    ids=["up to a number", "one in between", "all but one in between"],
)
def test_the_fix_names_a_limit_if_there_is_one(counts: dict[int, float], fix: str) -> None:
    assert finding(DependsOnPadCount(), sweep=sweep(counts), **LEFT_DIFFERS).fix == fix


def test_fires_although_the_number_of_pads_in_the_batch_is_a_right_one() -> None:
    assert finding(DependsOnPadCount(), sweep=sweep({2: 0.0, 33: 0.5})).evidence["wrong_pad_counts"] == [33]


def test_nan_with_some_pad_counts_is_wrong() -> None:
    found = finding(DependsOnPadCount(), sweep=sweep({1: 0.0, 2: 0.5, 3: None}), **LEFT_DIFFERS)
    assert "largest difference NaN (3 pads)" in found.message
    assert found.evidence["wrong_pad_counts"] == [2, 3]
    assert found.evidence["max_abs_diff"] is None


@pytest.mark.parametrize(
    ("right", "wrong", "fires"),
    [(0.9, 3.5, False), (0.9, 3.7, True), (0.0, 1.01, True)],
    ids=["both near the edge", "clearly apart", "one side is identical"],
)
def test_counts_near_the_edge_of_what_is_allowed_may_all_be_the_same(right: float, wrong: float, fires: bool) -> None:
    outcome = ask(DependsOnPadCount(), sweep=sweep({1: right * ALLOWED, 2: wrong * ALLOWED, 3: 0.5}), **LEFT_DIFFERS)
    assert (outcome is not None) == fires


@pytest.mark.parametrize(
    "counts", [{1: 0.5, 2: 0.5}, {1: 0.0, 2: 1e-6}, {1: None, 2: None}], ids=["all wrong", "all right", "all NaN"]
)
def test_silent_if_the_pad_count_makes_no_difference(counts: dict[int, float | None]) -> None:
    assert ask(DependsOnPadCount(), sweep=sweep(counts), **LEFT_DIFFERS) is None


SCREEN_IS_OFF = sweep({1: 0.0, 2: 0.3, 16: None, 17: 0.4})
ALL_RIGHT = sweep({1: 0.0, 2: 1e-6, 33: 0.0})


def test_fires_if_only_pieces_of_a_text_in_one_batch_are_wrong() -> None:
    found = finding(DependsOnPadCount(), screen=SCREEN_IS_OFF, sweep=ALL_RIGHT)
    assert found.severity is Severity.ERROR
    assert found.message == (
        "Pieces of prompt 0 in one batch are wrong with 2, 16-17 pads: "
        "largest difference NaN (16 pads), rounding explains up to 0.0002."
    )
    assert found.evidence == {
        "prompt": 0,
        "wrong_pad_counts": [2, 16, 17],
        "max_abs_diff": None,
        "allowed": pytest.approx(ALLOWED),
    }
    assert found.fix == "# batch prompts of equal length, or run them one by one"


@pytest.mark.parametrize(
    "changes",
    [
        {"screen": ALL_RIGHT, "sweep": ALL_RIGHT},
        {"screen": sweep({1: 0.5}, error="ValueError: no"), "sweep": ALL_RIGHT},
        {"screen": SCREEN_IS_OFF, "sweep": ALL_RIGHT} | LEFT_DIFFERS,
    ],
    ids=["all right", "it raised", "left padding is wrong for other prompts (PAD201)"],
)
def test_silent_if_the_pieces_say_nothing_more(changes: dict[str, object]) -> None:
    assert ask(DependsOnPadCount(), **changes) is None


@pytest.mark.parametrize("side", ["screen", "sweep"])
def test_what_only_other_numbers_of_pads_show_fails_the_run(side: str) -> None:
    counts = {"screen": ALL_RIGHT, "sweep": ALL_RIGHT, side: sweep({1: 0.0, 33: 0.5})}
    found = report(**counts)
    assert (found.status, [each.code for each in found.findings]) == ("fail", ["PAD205"])


def test_silent_if_nothing_called_for_the_sweep() -> None:
    assert ask(DependsOnPadCount()) is None


@pytest.mark.parametrize("ran", [None, sweep({1: 0.0, 2: 0.5}, error="ValueError: no")], ids=["not run", "raised"])
def test_skipped_if_left_padding_does_harm_and_the_sweep_did_not_run(ran: object) -> None:
    outcome = ask(DependsOnPadCount(), sweep=ran, **LEFT_DIFFERS)
    assert outcome == Skipped(code="PAD205", reason="undecided: the sweep over pad counts did not run")
