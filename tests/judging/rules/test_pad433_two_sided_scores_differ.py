from builders import ask, finding
from tasks import off, raised, scored

from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad433_two_sided_scores_differ import TwoSidedScoresDiffer


def test_a_warning_if_only_position_ids_are_missing() -> None:
    found = finding(TwoSidedScoresDiffer(), **scored(two_sided=off("two_sided")))
    assert found.severity is Severity.WARNING
    assert "right with position_ids and wrong without them: largest difference 0.5" in found.message
    assert found.fix.startswith("position_ids = ")


def test_pads_move_to_the_right_if_positions_do_not_help() -> None:
    wrong = {name: off(name) for name in ("two_sided", "two_sided_positions")}
    assert "right padding alone is right" in finding(TwoSidedScoresDiffer(), **scored(**wrong)).fix


def test_one_text_in_a_batch_if_nothing_else_is_right() -> None:
    wrong = {name: off(name) for name in ("right", "two_sided", "two_sided_positions")}
    assert finding(TwoSidedScoresDiffer(), **scored(**wrong)).fix == "per_device_train_batch_size = 1"


def test_silent_if_it_is_right() -> None:
    assert ask(TwoSidedScoresDiffer(), **scored()) is None


def test_undecided_if_it_raised() -> None:
    outcome = ask(TwoSidedScoresDiffer(), **scored(two_sided=raised("two_sided")))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "undecided: ValueError: no"


def test_undecided_without_choices() -> None:
    changes = scored()
    del changes["task"].runs["two_sided"]
    outcome = ask(TwoSidedScoresDiffer(), **changes)
    assert isinstance(outcome, Skipped)
    assert "needs choices" in outcome.reason


def test_says_nothing_to_code_that_never_pads_on_the_left() -> None:
    assert not TwoSidedScoresDiffer().concerns(JudgeSettings(task="score", padding_side="right").use)
