from builders import ask, finding
from tasks import step_off, trained

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad444_labels_shifted import LabelsShifted


def test_an_error_if_labels_are_shifted_twice() -> None:
    found = finding(LabelsShifted(), **trained(step_right=step_off("step_right", 3.0)))
    assert found.severity is Severity.ERROR
    assert "shifts the labels twice" in found.message


def test_a_warning_if_they_are_not_shifted() -> None:
    found = finding(LabelsShifted(), **trained(step_right=step_off("step_right", 5.0)))
    assert found.severity is Severity.WARNING
    assert "labels[:, 1:]" in found.fix


def test_the_nearest_mistake_counts() -> None:
    both = {"step_right": step_off("step_right", 3.00001), "step_all_ids": step_off("step_all_ids", 3.0002)}
    assert finding(LabelsShifted(), **trained(**both)).evidence["shifted"] == 2


def test_silent_if_they_are_shifted_once() -> None:
    assert ask(LabelsShifted(), **trained()) is None
