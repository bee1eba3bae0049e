import pytest
from builders import VOCAB_SIZE, ask, finding, model_facts, special_token_ids, token_ids, tokenizer_facts

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad104_pad_token_id_out_of_range import PadTokenIdOutOfRange


def test_the_id_that_pads_are_made_of_is_an_error() -> None:
    found = finding(PadTokenIdOutOfRange(), tokenizer=tokenizer_facts(pad_token_used_id=VOCAB_SIZE))
    assert found.severity is Severity.ERROR
    assert "tokenizer 100, while the table has 100 rows" in found.message
    assert found.evidence == {"embedding_rows": 100, "out_of_range": {"tokenizer": 100}}
    assert found.fix == "model.resize_token_embeddings(len(tokenizer))"


@pytest.mark.parametrize("place", ["config", "generation_config"])
@pytest.mark.parametrize("pad", [-1, VOCAB_SIZE])
def test_an_id_that_only_stands_in_a_config_is_a_warning(place: str, pad: int) -> None:
    found = finding(PadTokenIdOutOfRange(), special_token_ids=special_token_ids(**{place: token_ids(pad=pad)}))
    assert found.severity is Severity.WARNING
    assert found.evidence["out_of_range"] == {place: pad}
    assert found.fix == f"model.{place}.pad_token_id = tokenizer.pad_token_id"


def test_the_fix_has_a_line_for_each_place() -> None:
    minus_one = token_ids(pad=-1)
    ids = special_token_ids(config=minus_one, generation_config=minus_one)
    assert finding(PadTokenIdOutOfRange(), special_token_ids=ids).fix.splitlines() == [
        "model.config.pad_token_id = tokenizer.pad_token_id",
        "model.generation_config.pad_token_id = tokenizer.pad_token_id",
    ]


def test_a_negative_id_is_out_of_range_of_an_unknown_table_too() -> None:
    found = finding(
        PadTokenIdOutOfRange(),
        model=model_facts(embedding_rows=None),
        special_token_ids=special_token_ids(config=token_ids(pad=-1)),
    )
    assert "an unknown number of rows" in found.message


def test_the_fix_of_a_negative_id_is_not_a_larger_table() -> None:
    found = finding(PadTokenIdOutOfRange(), tokenizer=tokenizer_facts(pad_token_id=-1, pad_token_used_id=-1))
    assert "resize_token_embeddings" not in found.fix


@pytest.mark.parametrize("pad", [0, VOCAB_SIZE - 1], ids=["the first row", "the last row"])
def test_silent_for_an_id_that_has_a_row(pad: int) -> None:
    ids = special_token_ids(config=token_ids(pad=pad), generation_config=token_ids(pad=None))
    assert ask(PadTokenIdOutOfRange(), tokenizer=tokenizer_facts(pad_token_used_id=pad), special_token_ids=ids) is None


def test_silent_for_a_large_id_if_the_table_is_unknown() -> None:
    changes = {"model": model_facts(embedding_rows=None), "tokenizer": tokenizer_facts(pad_token_used_id=10**6)}
    assert ask(PadTokenIdOutOfRange(), **changes) is None
