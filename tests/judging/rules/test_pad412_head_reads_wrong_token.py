from builders import ask, finding
from tasks import classified, off

from padcheck.judging.rules.pad412_head_reads_wrong_token import HeadReadsWrongToken


def test_fires_if_the_head_reads_a_pad() -> None:
    found = finding(HeadReadsWrongToken(), **classified(right=off("right", read=None)))
    assert "the head reads a pad ('<pad>') of text 1; of the text alone it reads token 0 (' t0')" in found.message
    assert found.fix.startswith('tokenizer.padding_side = "left"')


def test_no_side_to_change_to_if_both_are_wrong() -> None:
    changes = classified(right=off("right", read=None), left=off("left", read=None))
    assert "attention_mask" in finding(HeadReadsWrongToken(), **changes).fix


def test_silent_if_the_same_token_is_read() -> None:
    assert ask(HeadReadsWrongToken(), **classified(right=off("right"))) is None


def test_silent_if_the_columns_are_unknown() -> None:
    unknown = {"read_at": None, "read_at_token": (), "read_tokens": ()}
    assert ask(HeadReadsWrongToken(), **classified(right=off("right", **unknown))) is None


def test_silent_if_the_head_reads_all_columns() -> None:
    everything = {"read_at": (0, 1, 2), "read_at_token": (0, None, None), "read_tokens": (" t0", "<pad>", "<pad>")}
    assert ask(HeadReadsWrongToken(), **classified(right=off("right", **everything))) is None
