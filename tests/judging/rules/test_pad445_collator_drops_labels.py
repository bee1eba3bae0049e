from builders import ask, finding
from tasks import step_off, trained

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad445_collator_drops_labels import CollatorDropsLabels


def test_fires_if_labels_by_pad_id_change_the_step() -> None:
    found = finding(CollatorDropsLabels(), **trained(step_pad_id=step_off("step_pad_id", labels=2)))
    assert found.severity is Severity.WARNING
    assert "DataCollatorForLanguageModeling 2 of 4 labels count, and the gradient is off by 50 %" in found.message
    assert "DataCollatorForSeq2Seq" in found.fix


def test_advises_the_mask_if_no_collator_is_right() -> None:
    both = {name: step_off(name, labels=2) for name in ("step_pad_id", "step_label_pads")}
    assert "attention_mask" in finding(CollatorDropsLabels(), **trained(**both)).fix


def test_silent_if_the_collators_are_right() -> None:
    assert ask(CollatorDropsLabels(), **trained()) is None


def test_silent_if_labels_by_the_mask_are_wrong_too() -> None:
    wrong = {name: step_off(name) for name in ("step_right", "step_pad_id", "step_label_pads")}
    assert ask(CollatorDropsLabels(), **trained(**wrong)) is None
