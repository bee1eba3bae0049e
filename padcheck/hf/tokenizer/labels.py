"""Checks whether the training labels that transformers' own collator makes keep the eos token."""

from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerBase

from padcheck.hf.tokenizer.pad_tokens import PadToken, padding_with

_IGNORED = -100
"""The label of a token that the loss ignores."""


def labels_keep_eos(tokenizer: PreTrainedTokenizerBase, input_ids: tuple[int, ...], pad_token: PadToken) -> bool | None:
    """Whether the collator keeps the eos at the end of a text in the labels.

    Args:
        tokenizer: The tokenizer; it temporarily gets the pad token.
        input_ids: The ids of a text; eos is added after it.
        pad_token: The pad token that is used.

    Returns:
        True or False; None if the tokenizer has no eos, or the collator fails because of the tokenizer's own code.
    """
    eos = tokenizer.eos_token_id
    if eos is None:
        return None
    text = [*input_ids, eos]
    with padding_with(tokenizer, pad_token.token):
        try:
            collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
            labels = collator([{"input_ids": text, "attention_mask": [1] * len(text)}])["labels"]  # (1, seq_len)
        except Exception:  # noqa: BLE001  a tokenizer's own code may raise anything; covered by PAD108
            return None
    return bool(labels[0, len(text) - 1] != _IGNORED)
