from builders import ask, finding
from tasks import step_off, trained

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad442_loss_averages_rows import LossAveragesRows


def test_fires_if_the_loss_is_the_mean_of_the_means() -> None:
    found = finding(LossAveragesRows(), **trained(step_right=step_off("step_right", 2.5)))
    assert found.severity is Severity.WARNING
    assert "off by 50 %" in found.message


def test_silent_if_it_is_the_mean_over_tokens() -> None:
    assert ask(LossAveragesRows(), **trained()) is None


def test_silent_if_it_is_another_number() -> None:
    assert ask(LossAveragesRows(), **trained(step_right=step_off("step_right", 2.6))) is None
