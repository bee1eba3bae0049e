from builders import ask, finding
from tasks import scored, scored_row, task_run

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad431_choice_flips import ChoiceFlips


def flipped(name: str, far: float = 2.0) -> dict[str, object]:
    return {name: task_run(name, scored_row(0, name, -1.0), scored_row(1, name, 0.0 - 0.5, far))}


def test_an_error_if_the_best_choice_changes_on_the_right() -> None:
    found = finding(ChoiceFlips(), **scored(**flipped("right")))
    assert found.severity is Severity.ERROR
    assert "changes the best choice of prompt 0 from ' yes' to ' no'" in found.message


def test_a_warning_on_the_left() -> None:
    found = finding(ChoiceFlips(), **scored(**flipped("left")))
    assert found.severity is Severity.WARNING
    assert found.fix == 'tokenizer.padding_side = "right"'


def test_silent_if_rounding_explains_the_change() -> None:
    assert ask(ChoiceFlips(), **scored(**flipped("right", far=1e-6))) is None


def test_silent_if_the_order_stays() -> None:
    right = task_run("right", scored_row(0, "right", -1.0), scored_row(1, "right", -1.5, 0.5))
    assert ask(ChoiceFlips(), **scored(right=right)) is None
