from builders import ask, finding, report
from tasks import classified, off, task_row, task_run

from padcheck.core.settings import JudgeSettings
from padcheck.judging.rules.pad409_task_depends_on_batch import TaskDependsOnBatch

COPIES = task_run("copies", task_row(0, "copies", 0.5), task_row(1, "copies", 0.5))


def test_fires_if_copies_of_a_text_differ_from_the_text() -> None:
    assert "a batch of copies of one text" in finding(TaskDependsOnBatch(), **classified(copies=COPIES)).message


def test_fires_if_the_longest_text_of_a_batch_differs() -> None:
    right = task_run("right", task_row(0, "right", 0.5), task_row(1, "right", 0.5))
    assert "Text 0 has no pads" in finding(TaskDependsOnBatch(), **classified(right=right)).message


def test_silent_if_only_padded_rows_differ() -> None:
    assert ask(TaskDependsOnBatch(), **classified(left=off("left"))) is None


def test_it_explains_the_padded_rows() -> None:
    found = report(settings=JudgeSettings(task="classify"), **classified(copies=COPIES, left=off("left")))
    assert [each.code for each in found.findings] == ["PAD409"]
