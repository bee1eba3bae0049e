"""What training makes of a tokenizer: the labels of transformers' own collator."""

from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerBase

from padcheck.hf.tokenizer.pad_tokens import PadToken, padding_with

_IGNORED = -100
"""The label that the loss leaves out."""


def labels_keep_eos(tokenizer: PreTrainedTokenizerBase, input_ids: tuple[int, ...], pad_token: PadToken) -> bool | None:
    """Whether the collator leaves the eos at the end of a text in the labels.

    Args:
        tokenizer: Lent the pad token of this run, and handed back.
        input_ids: A text; eos is put behind it.
        pad_token: What is padded with.

    Returns:
        None where the tokenizer has no eos, or its own code does not pad for the collator.
    """
    eos = tokenizer.eos_token_id
    if eos is None:
        return None
    text = [*input_ids, eos]
    with padding_with(tokenizer, pad_token.token):
        try:
            collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
            labels = collator([{"input_ids": text, "attention_mask": [1] * len(text)}])["labels"]  # (1, seq_len)
        except Exception:  # noqa: BLE001  a tokenizer's own code may raise anything; PAD108 tells that story
            return None
    return bool(labels[0, len(text) - 1] != _IGNORED)
