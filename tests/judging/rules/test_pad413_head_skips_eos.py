from builders import EOS, ask, finding, special_token_ids, token_ids
from tasks import classified, task_row, task_run

from padcheck.judging.rules.pad413_head_skips_eos import HeadSkipsEos

PAD_IS_EOS = {"special_token_ids": special_token_ids(config=token_ids(pad=EOS))}


def ends_in_eos(read: int) -> dict[str, object]:
    rows = (task_row(index, "ends_in_eos", read=read) for index in range(2))
    return classified(ends_in_eos=task_run("ends_in_eos", *rows))


def test_fires_if_the_token_before_the_eos_is_read() -> None:
    found = finding(HeadSkipsEos(), **ends_in_eos(-2), **PAD_IS_EOS)
    assert "the head reads token 2 (' t2'), and not the eos" in found.message


def test_silent_if_the_eos_is_read() -> None:
    assert ask(HeadSkipsEos(), **ends_in_eos(-1), **PAD_IS_EOS) is None


def test_silent_if_pad_is_not_eos() -> None:
    assert ask(HeadSkipsEos(), **ends_in_eos(-2)) is None


def test_silent_if_the_head_reads_the_first_token() -> None:
    assert ask(HeadSkipsEos(), **ends_in_eos(0), **PAD_IS_EOS) is None


def test_silent_if_the_tokenizer_has_no_eos() -> None:
    assert ask(HeadSkipsEos(), **classified(ends_in_eos=task_run("ends_in_eos", rows=())), **PAD_IS_EOS) is None
