"""Chooses the pad token to use, and suggests a better one from the vocabulary."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.facts import PadTokenSuggestion


class PadToken(NamedTuple):
    """The pad token that is used, and why."""

    token: str
    token_id: int
    reason: str


_DEDICATED = {
    "<|finetune_right_pad_id|>": "Llama 3 reserves it for padding",
    "<pad>": "its name marks it as a pad token",
    "[PAD]": "its name marks it as a pad token",
    "<|pad|>": "its name marks it as a pad token",
    "<|PAD|>": "its name marks it as a pad token",
    "<｜▁pad▁｜>": "DeepSeek reserves it for padding",
    "<|padding|>": "GPT-NeoX reserves it for padding",
    "<|fim_pad|>": "it pads fill-in-the-middle and never occurs in text",
    "<|endoftext|>": "it is not this tokenizer's eos, and text does not contain it",
    "<|reserved_special_token_0|>": "it is reserved, and text does not contain it",
}
"""Tokens to suggest and why, best first. Each is in a published vocabulary that has no pad token, or has eos as one."""


def choose_pad_token(tokenizer: PreTrainedTokenizerBase, requested: str | None) -> PadToken:
    """The token to pad with: the requested one, or the tokenizer's pad token, or eos, or unk, in this order.

    Raises:
        UsageError: The requested token is not in the vocabulary.
        NotMeasuredError: No token is requested, and the tokenizer has none of the three.
    """
    if requested is not None:
        token_id = _find_token(tokenizer, tokenizer.get_vocab(), requested)
        if token_id is None:
            raise UsageError(
                f"The pad token {requested!r} is not in the vocabulary.",
                meaning="Adding it would need a new embedding row, which the model was not trained with.",
                change="Give --pad-token an existing token; `padcheck inspect-tokenizer MODEL` suggests one.",
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
        meaning="So there is no token to pad with by default.",
        change="Give --pad-token a token from its vocabulary.",
    )


def suggest_pad_token(
    tokenizer: PreTrainedTokenizerBase, vocab: dict[str, int], eos_token_ids: set[int], embedding_rows: int | None
) -> PadTokenSuggestion | None:
    """A better pad token from the vocabulary; None if the tokenizer's own is good or there is nothing better.

    Args:
        tokenizer: The tokenizer; it is not changed.
        vocab: Its tokens and their ids.
        eos_token_ids: All ids that tokenizer, config or generation_config name as eos.
        embedding_rows: The number of rows of the embedding table; None if unknown. Ids from this number on have none.
    """
    taken = eos_token_ids | {tokenizer.bos_token_id, tokenizer.unk_token_id}
    own = tokenizer.pad_token_id
    if own is not None and own not in taken and 0 <= own < (embedding_rows or own + 1):
        return None
    for token, reason in _DEDICATED.items():
        token_id = _find_token(tokenizer, vocab, token)
        if token_id is not None and token_id not in taken and token_id < (embedding_rows or token_id + 1):
            return PadTokenSuggestion(token=token, token_id=token_id, reason=reason)
    if own is not None:
        return None
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id not in eos_token_ids:
        return PadTokenSuggestion(
            token=tokenizer.unk_token,
            token_id=tokenizer.unk_token_id,
            reason="it is not eos, so masks and labels made from ids keep the real eos, and text rarely contains it",
        )
    if tokenizer.eos_token_id is not None:
        return PadTokenSuggestion(
            token=tokenizer.eos_token,
            token_id=tokenizer.eos_token_id,
            reason="it is fine for generation if attention_mask is passed, but not for training",
        )
    return None


def _find_token(tokenizer: PreTrainedTokenizerBase, vocab: dict[str, int], token: str) -> int | None:
    """The id of a token; None if there is no such token."""
    if token in vocab:
        return vocab[token]
    # A tokenizer with its own code may leave its special tokens out of the vocabulary. For a token that it does not
    # have, it gives the id of unk or None, or raises whatever its code raises.
    with suppress(Exception):
        token_id = tokenizer.convert_tokens_to_ids(token)
        if isinstance(token_id, int) and tokenizer.convert_ids_to_tokens(token_id) == token:
            return token_id
    return None


@contextmanager
def padding_with(tokenizer: PreTrainedTokenizerBase, pad_token: str) -> Iterator[None]:
    """Within the context, temporarily replaces the tokenizer's pad token."""
    before = tokenizer.pad_token
    tokenizer.pad_token = pad_token
    try:
        yield
    finally:
        tokenizer.pad_token = before
