"""Which pad token is used, and which one is suggested."""

import pytest
from transformers import PreTrainedTokenizerFast
from vocabularies import tokenizer

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.hf.tokenizer import pad_tokens
from padcheck.hf.tokenizer.pad_tokens import choose_pad_token, padding_with


def suggest_pad_token(chosen_from: PreTrainedTokenizerFast, eos_token_ids: set[int], embedding_rows: int | None):
    return pad_tokens.suggest_pad_token(chosen_from, chosen_from.get_vocab(), eos_token_ids, embedding_rows)


def test_the_requested_token_is_preferred():
    chosen = choose_pad_token(tokenizer("<pad>", pad_token="<pad>"), "b")
    assert (chosen.token, chosen.token_id, chosen.reason) == ("b", 4, "given with --pad-token")


def test_a_token_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="not in the vocabulary"):
        choose_pad_token(tokenizer(), "<|nope|>")


def test_the_tokenizers_own_pad_token_comes_next_even_with_id_0():
    assert choose_pad_token(tokenizer(pad_token="<s>", eos_token="</s>"), None).token_id == 0


@pytest.mark.parametrize(
    ("special", "token"), [({"eos_token": "</s>", "unk_token": "<unk>"}, "</s>"), ({"unk_token": "<unk>"}, "<unk>")]
)
def test_without_a_pad_token_eos_is_used_or_unk_and_the_reason_says_so(special, token):
    chosen = choose_pad_token(tokenizer(**special), None)
    assert chosen.token == token
    assert "has none" in chosen.reason


def test_a_tokenizer_with_nothing_to_pad_with_is_not_measured():
    with pytest.raises(NotMeasuredError, match="no pad, eos or unk"):
        choose_pad_token(tokenizer(), None)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["<|endoftext|>", "<pad>", "<|finetune_right_pad_id|>"], "<|finetune_right_pad_id|>"),
        (["<|endoftext|>", "<pad>"], "<pad>"),
        (["<|endoftext|>"], "<|endoftext|>"),
        ([], "<unk>"),
    ],
)
def test_the_best_token_of_the_vocabulary_is_suggested(more, expected):
    suggestion = suggest_pad_token(tokenizer(*more, eos_token="</s>", unk_token="<unk>"), {1}, None)
    assert suggestion.token == expected
    assert suggestion.reason


def test_eos_is_suggested_last():
    assert suggest_pad_token(tokenizer(eos_token="</s>"), {1}, None).token == "</s>"


def test_an_eos_token_or_one_without_an_embedding_is_not_suggested():
    crowded = tokenizer("<|endoftext|>", "<pad>", eos_token="</s>")
    assert suggest_pad_token(crowded, {1, 5}, None).token == "<pad>"
    assert suggest_pad_token(crowded, {1}, 6).token == "<|endoftext|>"


def test_a_good_pad_token_gets_no_suggestion_but_eos_as_pad_token_does():
    assert suggest_pad_token(tokenizer("<pad>", pad_token="<pad>", eos_token="</s>"), {1}, None) is None
    assert suggest_pad_token(tokenizer("<pad>", pad_token="</s>", eos_token="</s>"), {1}, None).token == "<pad>"


@pytest.mark.parametrize("own", [None, "<pad>"])
def test_the_pad_token_is_restored(own):
    special = {} if own is None else {"pad_token": own}
    words = tokenizer("<pad>", eos_token="</s>", **special)
    with padding_with(words, "</s>"):
        assert words.pad_token == "</s>"
    assert words.pad_token == own
