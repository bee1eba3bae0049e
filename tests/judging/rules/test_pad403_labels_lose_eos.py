from builders import ask, finding

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad403_labels_lose_eos import LabelsLoseEos


def test_fires_if_the_collator_ignores_the_eos() -> None:
    found = finding(LabelsLoseEos(), labels_keep_eos=False)
    assert found.severity is Severity.WARNING
    assert "never learns to stop" in found.message
    assert "attention_mask" in found.fix


def test_silent_if_the_eos_is_learned() -> None:
    assert ask(LabelsLoseEos(), labels_keep_eos=True) is None


def test_skipped_if_no_labels_were_made() -> None:
    assert isinstance(ask(LabelsLoseEos(), labels_keep_eos=None), Skipped)
