from builders import PAD, ask, finding, special_token_ids, token_ids, tokenizer_facts
from tasks import classified, off, raised, task_run

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad411_head_needs_pad_id import HeadNeedsPadId

ERROR = "ValueError: Cannot handle batch sizes > 1 if no padding token is defined."
WITH_PAD_ID = {"left_pad_id": task_run("left_pad_id"), "right_pad_id": task_run("right_pad_id")}
NO_PAD_ID = {"special_token_ids": special_token_ids(config=token_ids(pad=None))}


def test_fires_if_a_batch_raises_without_a_pad_id() -> None:
    found = finding(HeadNeedsPadId(), **classified(left=raised("left", ERROR), **WITH_PAD_ID), **NO_PAD_ID)
    assert found.severity is Severity.ERROR
    assert f"The config names no pad id, and texts were padded with {PAD}." in found.message
    assert found.fix == "model.config.pad_token_id = tokenizer.pad_token_id"


def test_a_warning_if_the_tokenizer_has_no_pad_token_either() -> None:
    tokenizer = tokenizer_facts(pad_token=None, pad_token_id=None)
    changes = classified(left=raised("left", ERROR), **WITH_PAD_ID) | NO_PAD_ID
    assert finding(HeadNeedsPadId(), **changes, tokenizer=tokenizer).severity is Severity.WARNING


def test_an_error_if_another_pad_id_makes_it_wrong_in_silence() -> None:
    ids = {"special_token_ids": special_token_ids(config=token_ids(pad=7))}
    found = finding(HeadNeedsPadId(), **classified(left=off("left"), **WITH_PAD_ID), **ids)
    assert found.severity is Severity.ERROR
    assert "names the pad id 7" in found.message


def test_silent_if_the_batch_is_wrong_with_the_pad_id_too() -> None:
    changes = classified(left=off("left"), left_pad_id=off("left_pad_id"))
    assert ask(HeadNeedsPadId(), **changes) is None


def test_silent_if_the_batch_is_right() -> None:
    assert ask(HeadNeedsPadId(), **classified(**WITH_PAD_ID)) is None
