from builders import ask, finding
from tasks import off, raised, step_off, step_run, trained

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad441_own_loss_differs import OwnLossDiffers


def test_fires_and_says_that_the_loss_counts_pads() -> None:
    both = {"step_right": step_off("step_right", 4.5), "step_all_ids": step_off("step_all_ids", 4.5)}
    found = finding(OwnLossDiffers(), **trained(**both))
    assert found.severity is Severity.ERROR
    assert "its texts alone give 2, and the gradient is off by 50 % of its norm (cosine 0.50)" in found.message
    assert "counts pads" in found.message
    assert found.evidence["counts_pads"] is True


def test_fires_without_a_known_cause() -> None:
    found = finding(OwnLossDiffers(), **trained(step_right=step_off("step_right", 3.5)))
    assert "counts pads" not in found.message
    assert found.evidence["counts_pads"] is False


def test_fires_if_only_the_gradient_is_off() -> None:
    assert finding(OwnLossDiffers(), **trained(step_right=step_off("step_right", 2.0)))


def test_fires_for_a_left_padded_batch() -> None:
    found = finding(OwnLossDiffers(), **trained(step_left_first=step_off("step_left_first", 3.5)))
    assert "left-padded" in found.message


def test_silent_if_the_loss_is_right() -> None:
    assert ask(OwnLossDiffers(), **trained()) is None


def test_silent_if_the_model_itself_is_wrong_on_that_side() -> None:
    assert ask(OwnLossDiffers(), **trained(right=off("right"), step_right=step_off("step_right", 3.5))) is None


def test_silent_if_another_rule_names_the_mistake() -> None:
    for loss in (2.5, 3.0, 5.0):
        assert ask(OwnLossDiffers(), **trained(step_right=step_off("step_right", loss))) is None


def test_skipped_if_the_step_did_not_run() -> None:
    alone = raised("step_alone", "IndexError: no")
    outcome = ask(OwnLossDiffers(), **trained(step_alone=alone, step_right=step_run("step_right")))
    assert isinstance(outcome, Skipped)
    assert "the training step raised IndexError: no" in outcome.reason
