from builders import ask, finding
from tasks import classified, off

from padcheck.judging.rules.pad408_task_reads_pads import TaskReadsPads


def test_fires_if_other_ids_under_the_mask_matter() -> None:
    found = finding(TaskReadsPads(), **classified(left=off("left"), left_other_ids=off("left_other_ids", 0.3)))
    assert "largest difference 0.3" in found.message


def test_silent_if_the_batch_is_right() -> None:
    # A head that finds the last token by its id reads another column if the pads have other ids.
    assert ask(TaskReadsPads(), **classified(right_other_ids=off("right_other_ids", read=None))) is None


def test_silent_if_the_head_then_reads_another_token() -> None:
    changes = classified(left=off("left"), left_other_ids=off("left_other_ids", read=None))
    assert ask(TaskReadsPads(), **changes) is None


def test_silent_if_the_head_reads_a_pad() -> None:
    changes = classified(left=off("left", read=None), left_other_ids=off("left_other_ids", read=None))
    assert ask(TaskReadsPads(), **changes) is None


def test_silent_if_other_ids_change_nothing() -> None:
    assert ask(TaskReadsPads(), **classified(left=off("left"))) is None
