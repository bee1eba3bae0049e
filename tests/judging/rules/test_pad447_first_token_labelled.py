from builders import ask, finding
from tasks import step_off, trained

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad447_first_token_labelled import FirstTokenLabelled


def test_fires_if_the_caller_pads_on_the_left() -> None:
    found = finding(FirstTokenLabelled(), **trained(side="left", step_left=step_off("step_left", labels=5)))
    assert found.severity is Severity.WARNING
    assert "the first token of 1 texts has a label" in found.message
    assert "cumsum(-1) <= 1" in found.fix


def test_silent_if_the_caller_pads_on_the_right() -> None:
    assert ask(FirstTokenLabelled(), **trained(step_left=step_off("step_left", labels=5))) is None


def test_silent_if_more_than_the_first_labels_is_wrong() -> None:
    wrong = {name: step_off(name) for name in ("step_left", "step_left_first")}
    assert ask(FirstTokenLabelled(), **trained(side="left", **wrong)) is None
