from builders import ask, finding
from tasks import classified, off, raised

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad407_task_needs_position_ids import TaskNeedsPositionIds


def test_fires_if_positions_make_the_batch_right() -> None:
    found = finding(TaskNeedsPositionIds(), **classified(left=off("left")))
    assert found.severity is Severity.ERROR
    assert found.fix.startswith("position_ids = ")


def test_silent_if_it_stays_wrong() -> None:
    changes = classified(left=off("left"), left_positions=off("left_positions"))
    assert ask(TaskNeedsPositionIds(), **changes) is None


def test_silent_if_the_model_takes_no_positions() -> None:
    changes = classified(left=off("left"), left_positions=raised("left_positions", "TypeError: takes no position_ids"))
    assert ask(TaskNeedsPositionIds(), **changes) is None


def test_silent_if_it_is_right_without_them() -> None:
    assert ask(TaskNeedsPositionIds(), **classified()) is None
