"""Which pad token a run uses where the tokenizer has none, and which one of its vocabulary would be better."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.facts import PadTokenSuggestion


class PadToken(NamedTuple):
    """The pad token of a run, and why it is that one."""

    token: str
    token_id: int
    reason: str


_DEDICATED = {
    "<|finetune_right_pad_id|>": "Llama 3 reserves it for this",
    "<pad>": "it is a pad token by name",
    "[PAD]": "it is a pad token by name",
    "<|pad|>": "it is a pad token by name",
    "<|PAD|>": "it is a pad token by name",
    "<｜▁pad▁｜>": "DeepSeek reserves it for this",
    "<|padding|>": "GPT-NeoX reserves it for this",
    "<|fim_pad|>": "it pads fill-in-the-middle and never occurs in text",
    "<|endoftext|>": "it is not this tokenizer's eos, and text does not contain it",
    "<|reserved_special_token_0|>": "it is reserved, and text does not contain it",
}
"""In order of preference. Each exists in some vocabulary that ships without a pad token, or with eos in its place."""


def choose_pad_token(tokenizer: PreTrainedTokenizerBase, requested: str | None) -> PadToken:
    """The token that this run pads with: the requested one, else the tokenizer's, else eos, else unk.

    Raises:
        UsageError: The requested token is not in the vocabulary.
        NotMeasuredError: There is nothing to pad with.
    """
    if requested is not None:
        token_id = tokenizer.get_vocab().get(requested)
        if token_id is None:
            raise UsageError(
                f"The pad token {requested!r} is not in the vocabulary.",
                meaning="Adding it would need a new embedding row, which no training has seen.",
                change="Give --pad-token a token that exists; `padcheck inspect-tokenizer MODEL` suggests one.",
            )
        return PadToken(requested, token_id, "given with --pad-token")
    if tokenizer.pad_token_id is not None:
        return PadToken(tokenizer.pad_token, tokenizer.pad_token_id, "the tokenizer's own")
    for kind in ("eos", "unk"):
        token_id = getattr(tokenizer, f"{kind}_token_id")
        if token_id is not None:
            token = getattr(tokenizer, f"{kind}_token")
            return PadToken(token, token_id, f"the tokenizer has none, so {kind} was used, as is common")
    raise NotMeasuredError(
        "The tokenizer has no pad, eos or unk token.",
        meaning="Nothing in it can stand for padding.",
        change="Give --pad-token a token of its vocabulary.",
    )


def suggest_pad_token(
    tokenizer: PreTrainedTokenizerBase, vocab: dict[str, int], eos_token_ids: set[int], embedding_rows: int | None
) -> PadTokenSuggestion | None:
    """A better pad token from the vocabulary, or None where the tokenizer's own is as good as any.

    Args:
        tokenizer: Read only.
        vocab: Its tokens and their ids.
        eos_token_ids: All ids that end a text, of tokenizer, config and generation_config.
        embedding_rows: Ids from here on have no embedding.
    """
    taken = eos_token_ids | {tokenizer.bos_token_id, tokenizer.unk_token_id}
    own = tokenizer.pad_token_id
    if own is not None and own not in taken and 0 <= own < (embedding_rows or own + 1):
        return None
    for token, reason in _DEDICATED.items():
        token_id = vocab.get(token)
        if token_id is not None and token_id not in taken and token_id < (embedding_rows or token_id + 1):
            return PadTokenSuggestion(token=token, token_id=token_id, reason=reason)
    if own is not None:
        return None
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id not in eos_token_ids:
        return PadTokenSuggestion(
            token=tokenizer.unk_token,
            token_id=tokenizer.unk_token_id,
            reason="it is not eos, so masks and labels made from ids keep the real eos; text seldom contains it",
        )
    if tokenizer.eos_token_id is not None:
        return PadTokenSuggestion(
            token=tokenizer.eos_token,
            token_id=tokenizer.eos_token_id,
            reason="it is fine for generating as long as attention_mask is passed, but not for training",
        )
    return None


@contextmanager
def padding_with(tokenizer: PreTrainedTokenizerBase, pad_token: str) -> Iterator[None]:
    """Lends the tokenizer a pad token for the length of the context; it is handed back as it was."""
    before = tokenizer.pad_token
    tokenizer.pad_token = pad_token
    try:
        yield
    finally:
        tokenizer.pad_token = before
