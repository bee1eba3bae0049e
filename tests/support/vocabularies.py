"""Tokenizers of a few words, with the special tokens that a test needs."""

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast


def tokenizer(*more: str, **special: str) -> PreTrainedTokenizerFast:
    """A tokenizer with <s> 0, </s> 1, <unk> 2, a 3, b 4, followed by `more`."""
    vocab = {word: index for index, word in enumerate(["<s>", "</s>", "<unk>", "a", "b", *more])}
    backend = Tokenizer(WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)
