"""Tests labels_keep_eos() with the real collator on real tokenizers."""

from vocabularies import tokenizer

from padcheck.hf.tokenizer.labels import labels_keep_eos
from padcheck.hf.tokenizer.pad_tokens import choose_pad_token


def kept(words, pad_token=None):
    return labels_keep_eos(words, (3, 4), choose_pad_token(words, pad_token))


def test_a_dedicated_pad_token_keeps_the_eos():
    assert kept(tokenizer("<pad>", pad_token="<pad>", eos_token="</s>")) is True


def test_eos_as_pad_token_loses_the_eos():
    words = tokenizer(eos_token="</s>")
    assert kept(words) is False
    assert words.pad_token is None


def test_a_tokenizer_without_eos_has_no_answer():
    assert kept(tokenizer("<pad>", pad_token="<pad>")) is None
