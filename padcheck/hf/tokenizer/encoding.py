"""Prompts to ids and ids to rows. Padding is done by definition; the tokenizer's own is a sample held against it."""

from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from padcheck.core.errors import UsageError
from padcheck.core.evidence import PositionsUsedBy, Row, Sample
from padcheck.core.facts import PaddingSide
from padcheck.core.padding import PaddedIds, position_ids_from_mask
from padcheck.hf.tokenizer.pad_tokens import PadToken, padding_with

_UNKNOWN_ID = (IndexError, KeyError)
"""What slow tokenizers raise at an id without a token; tables often have such rows, and a model may choose one."""


class PromptTexts(NamedTuple):
    """What is tokenized: the prompts as given, or rendered with the chat template and its own special tokens."""

    texts: tuple[str, ...]
    add_special_tokens: bool


def render_prompts(tokenizer: PreTrainedTokenizerBase, prompts: tuple[str, ...], *, chat: bool) -> PromptTexts:
    """The prompts, with `chat` as a user's message each with the opening of the answer behind it.

    Raises:
        UsageError: `chat` is asked for and there is no chat template.
    """
    if not chat:
        return PromptTexts(prompts, add_special_tokens=True)
    if not tokenizer.chat_template:
        raise UsageError(
            "--chat was given, but the tokenizer has no chat template.",
            meaning="It belongs to a base model.",
            change="Leave out --chat, or give the model that was trained to chat, or its tokenizer.",
        )
    try:
        return PromptTexts(tuple(render_chat(tokenizer, prompt) for prompt in prompts), add_special_tokens=False)
    except Exception as error:
        # A template is a program of its own, and may refuse a conversation of one message.
        raise UsageError(
            f"The chat template raised {type(error).__name__}: {error}",
            meaning="It wants other messages than one of the user, or is broken.",
            change="Leave out --chat and give prompts that are rendered already.",
        ) from error


def render_chat(tokenizer: PreTrainedTokenizerBase, message: str) -> str:
    """One user's message as the chat template writes it."""
    messages = [{"role": "user", "content": message}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def encode_prompts(tokenizer: PreTrainedTokenizerBase, prompts: PromptTexts) -> tuple[tuple[int, ...], ...]:
    """Each prompt alone, as the tokenizer encodes it.

    Raises:
        UsageError: A prompt has no token at all.
    """
    encoded = tuple(encode(tokenizer, text, add_special_tokens=prompts.add_special_tokens) for text in prompts.texts)
    for text, input_ids in zip(prompts.texts, encoded, strict=True):
        if not input_ids:
            raise UsageError(
                f"The prompt {text!r} has no token.",
                meaning="The tokenizer drops all of its characters.",
                change="Give another prompt.",
            )
    return encoded


def encode(tokenizer: PreTrainedTokenizerBase, text: str, *, add_special_tokens: bool = True) -> tuple[int, ...]:
    """One text alone. Without a mask transformers does not call the padding code, which may fail."""
    encoded = tokenizer(text, add_special_tokens=add_special_tokens, return_attention_mask=False)
    return tuple(encoded["input_ids"])


def tokenizer_samples(
    tokenizer: PreTrainedTokenizerBase, prompts: PromptTexts, pad_token: PadToken
) -> dict[PaddingSide, Sample]:
    """The prompts as one batch, padded by the tokenizer's own code when asked for each side."""
    return {side: _sample(tokenizer, prompts, pad_token, side) for side in ("left", "right")}


def _sample(tokenizer: PreTrainedTokenizerBase, prompts: PromptTexts, pad_token: PadToken, side: PaddingSide) -> Sample:
    with padding_with(tokenizer, pad_token.token):
        try:
            batch = tokenizer(
                list(prompts.texts),
                add_special_tokens=prompts.add_special_tokens,
                padding=True,
                padding_side=side,
                return_attention_mask=True,
            )
        except Exception as error:  # noqa: BLE001  a tokenizer's own code may raise anything: what it raised is the evidence
            return Sample(error=f"{type(error).__name__}: {error}")
    padded = zip(batch["input_ids"], batch["attention_mask"], strict=True)
    return Sample(
        rows=tuple(
            build_row(tokenizer, index, PaddedIds(tuple(input_ids), tuple(attention_mask)))
            for index, (input_ids, attention_mask) in enumerate(padded)
        )
    )


def build_row(
    tokenizer: PreTrainedTokenizerBase,
    prompt_index: int,
    padded: PaddedIds,
    *,
    generated_ids: tuple[int, ...] = (),
    position_ids: tuple[int | None, ...] | None = None,
    positions_used: tuple[int | None, ...] = (),
    positions_used_by: PositionsUsedBy | None = None,
    non_finite_logits: int = 0,
    stand_in: str | None = None,
) -> Row:
    """One row as it will be reported.

    Args:
        tokenizer: Decodes.
        prompt_index: Which prompt.
        padded: The padded prompt.
        generated_ids: What was generated behind it, up to the first eos.
        position_ids: What forward() received, one entry a column of prompt and generated ids; None where nothing ran.
        positions_used: What the model looked up, one entry a column as well, or empty.
        positions_used_by: What looked it up; None where nothing is known.
        non_finite_logits: NaNs and plus infinities among the logits of the generated tokens.
        stand_in: What ran in place of generate().
    """
    input_ids = padded.input_ids + generated_ids
    attention_mask = padded.attention_mask + (1,) * len(generated_ids)
    prompt_ids = [token_id for token_id, real in zip(*padded, strict=True) if real]
    return Row(
        prompt_index=prompt_index,
        num_pad_tokens=padded.attention_mask.count(0),
        tokens=tuple(token_text(tokenizer, token_id) for token_id in input_ids),
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=position_ids or (None,) * len(input_ids),
        position_ids_from_mask=position_ids_from_mask(attention_mask),
        positions_used=positions_used if positions_used_by is not None else (),
        positions_used_by=positions_used_by,
        generated_ids=generated_ids,
        text=decode(tokenizer, input_ids),
        prompt_text=decode(tokenizer, prompt_ids),
        generated_text=decode(tokenizer, generated_ids),
        new_text=decode(tokenizer, generated_ids, skip_special_tokens=True),
        non_finite_logits=non_finite_logits,
        stand_in=stand_in,
    )


def decode(
    tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...] | list[int], *, skip_special_tokens: bool = False
) -> str:
    """The text of some ids, spaces as they are: clean-up would hide a difference."""
    try:
        return _decode(tokenizer, ids, skip_special_tokens=skip_special_tokens)
    except _UNKNOWN_ID:
        return "".join(token_text(tokenizer, token_id) for token_id in ids)


def token_text(tokenizer: PreTrainedTokenizerBase, token_id: int) -> str:
    """One token as text, with its leading space; the vocabulary's own spelling where it is only part of a character."""
    try:
        piece = tokenizer.convert_ids_to_tokens(token_id)
        text = _decode(tokenizer, [token_id])
    except _UNKNOWN_ID:
        piece = None
    if piece is None:
        return f"#{token_id}"
    if "▁" in piece:  # sentencepiece, whose decoder drops a leading space
        return str(piece.replace("▁", " "))
    return str(piece) if not text or "\N{REPLACEMENT CHARACTER}" in text else text


def _decode(
    tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...] | list[int], *, skip_special_tokens: bool = False
) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False))
