from builders import ask, finding, tokenizer_facts
from tasks import embedded, off

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad421_naive_pooling_reads_pads import NaivePoolingReadsPads


def test_names_the_indices_that_are_wrong_on_the_callers_side() -> None:
    changes = embedded(
        left_mask_sum=off("left_mask_sum", numbers={"cos(last)": 0.25}), right_last_column=off("right_last_column")
    )
    found = finding(NaivePoolingReadsPads(), **changes)
    assert found.severity is Severity.INFO
    assert found.message.endswith("hidden[:, mask.sum(1) - 1] (cosine down to 0.25).")
    right = finding(NaivePoolingReadsPads(), **changes, tokenizer=tokenizer_facts(padding_side="right"))
    assert right.message.endswith("hidden[:, -1].")


def test_silent_if_pooling_by_the_mask_is_wrong_too() -> None:
    changes = embedded(left=off("left"), left_mask_sum=off("left_mask_sum"))
    assert ask(NaivePoolingReadsPads(), **changes) is None


def test_silent_if_every_index_is_right() -> None:
    assert ask(NaivePoolingReadsPads(), **embedded()) is None


def test_skipped_for_another_task() -> None:
    assert isinstance(ask(NaivePoolingReadsPads()), Skipped)
