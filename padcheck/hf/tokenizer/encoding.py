"""Turns prompts into token ids, and padded ids into rows of the report.

padcheck pads rows itself. The rows that the tokenizer's own code pads are samples, to be checked against that.
"""

from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.facts import PaddingSide
from padcheck.core.padding import PaddedIds, position_ids_from_mask
from padcheck.core.run_results import PositionsUsedBy, Row, Sample
from padcheck.core.settings import Prompt
from padcheck.hf.library.exceptions import panics_as_errors
from padcheck.hf.tokenizer.pad_tokens import PadToken, padding_with

_SECONDS = 60
_SECONDS_PER_CHARACTER = 0.001
"""A slow tokenizer in Python takes a hundredth of that."""

_TOKENS_PER_CHARACTER = 100
"""The longest normalization in Unicode makes 18 characters of one, and each has up to 4 bytes."""


class PromptTexts(NamedTuple):
    """The texts to tokenize: the prompts as given, or as rendered by the chat template.

    `add_special_tokens` is False if the chat template has already written them.
    """

    texts: tuple[str, ...]
    add_special_tokens: bool


class EncodedPrompts(NamedTuple):
    """The prompts, the token ids of each one without padding, and the samples of the tokenizer's own padding."""

    texts: PromptTexts
    input_ids: tuple[tuple[int, ...], ...]
    samples: dict[PaddingSide, Sample]


def seconds_to_encode(prompts: tuple[Prompt, ...]) -> float:
    """The time after which a tokenizer that is still encoding the prompts will probably never end."""
    return _SECONDS + _SECONDS_PER_CHARACTER * sum(len(str(prompt)) for prompt in prompts)


def render_and_encode(
    tokenizer: PreTrainedTokenizerBase, prompts: tuple[Prompt, ...], pad_token: PadToken, *, chat: bool
) -> EncodedPrompts:
    """Renders chats, and encodes the prompts without padding and with the tokenizer's own padding.

    Raises:
        UsageError: A chat is wanted, but the tokenizer has no chat template or the template fails; or a prompt has no
            tokens.
        NotMeasuredError: A prompt becomes far too many tokens.
        Exception: Whatever the tokenizer raises.
    """
    texts = render_prompts(tokenizer, prompts, chat=chat)
    return EncodedPrompts(texts, encode_prompts(tokenizer, texts), tokenizer_samples(tokenizer, texts, pad_token))


def render_prompts(tokenizer: PreTrainedTokenizerBase, prompts: tuple[Prompt, ...], *, chat: bool) -> PromptTexts:
    """Returns the prompts as texts. If `chat` is set or one of them is a conversation, all of them are rendered.

    Raises:
        UsageError: The tokenizer has no chat template for that, or the template fails.
    """
    texts = tuple(prompt for prompt in prompts if isinstance(prompt, str))
    if not chat and len(texts) == len(prompts):
        return PromptTexts(texts, add_special_tokens=True)
    asked, instead = ("--chat was given", "Leave out --chat") if chat else ("The prompts are chats", "Give plain texts")
    if not tokenizer.chat_template:
        raise UsageError(
            f"{asked}, but the tokenizer has no chat template.",
            meaning="It is the tokenizer of a base model.",
            change=f"{instead}, or give a chat model or its tokenizer.",
        )
    try:
        return PromptTexts(tuple(render_chat(tokenizer, prompt) for prompt in prompts), add_special_tokens=False)
    except MemoryError:
        raise
    except Exception as error:
        # A template is a program: it may refuse a single message, a system prompt or an order of roles.
        raise UsageError(
            f"The chat template raised {type(error).__name__}: {error}",
            meaning="It does not accept these roles in this order, such as a single user message, or is broken.",
            change="Leave out --chat, and give prompts that are already rendered.",
        ) from error


def render_chat(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> str:
    """A conversation, or a text as one user message, rendered by the chat template with the start of the answer."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def encode_prompts(tokenizer: PreTrainedTokenizerBase, prompts: PromptTexts) -> tuple[tuple[int, ...], ...]:
    """The token ids of each prompt, encoded separately and without padding.

    Raises:
        UsageError: A prompt has no tokens.
        NotMeasuredError: A prompt becomes far too many tokens.
    """
    encoded = tuple(encode(tokenizer, text, add_special_tokens=prompts.add_special_tokens) for text in prompts.texts)
    for text, input_ids in zip(prompts.texts, encoded, strict=True):
        if not input_ids:
            raise UsageError(
                f"The prompt {text!r} has no tokens.",
                meaning="The tokenizer drops all its characters.",
                change="Give another prompt.",
            )
        if len(input_ids) > _TOKENS_PER_CHARACTER * (len(text) + 1):
            raise NotMeasuredError(
                f"The tokenizer makes {len(input_ids):,} tokens of a prompt of {len(text):,} characters.",
                meaning="Its normalizer or pre-tokenizer adds text, again and again.",
                change="Check normalizer and pre_tokenizer in tokenizer.json, or name another tokenizer: --tokenizer.",
            )
    return encoded


def encode(tokenizer: PreTrainedTokenizerBase, text: str, *, add_special_tokens: bool = True) -> tuple[int, ...]:
    """The token ids of one text. No mask is requested: then transformers skips the padding code, which may fail."""
    with panics_as_errors():
        encoded = tokenizer(text, add_special_tokens=add_special_tokens, return_attention_mask=False)
    return tuple(encoded["input_ids"])


def tokenizer_samples(
    tokenizer: PreTrainedTokenizerBase, prompts: PromptTexts, pad_token: PadToken
) -> dict[PaddingSide, Sample]:
    """The prompts as one batch, padded on each side by the tokenizer's own code."""
    return {side: _sample(tokenizer, prompts, pad_token, side) for side in ("left", "right")}


def _sample(tokenizer: PreTrainedTokenizerBase, prompts: PromptTexts, pad_token: PadToken, side: PaddingSide) -> Sample:
    with padding_with(tokenizer, pad_token.token):
        try:
            with panics_as_errors():
                batch = tokenizer(
                    list(prompts.texts),
                    add_special_tokens=prompts.add_special_tokens,
                    padding=True,
                    padding_side=side,
                    return_attention_mask=True,
                )
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a tokenizer's own code may raise anything; the exception is the evidence
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
    """One row of the report.

    Args:
        tokenizer: Decodes the ids.
        prompt_index: The index of the prompt.
        padded: The ids and the mask of the padded prompt, both of length padded_len.
        generated_ids: The ids generated after it, up to and including the first eos.
        position_ids: The position that forward() received for each of the padded_len + len(generated_ids) columns, None
            for a column that was not an input; None if nothing ran.
        positions_used: The positions that the model looked up, one for each column, or empty.
        positions_used_by: The part of the model that looked them up; None if unknown.
        non_finite_logits: The number of NaNs and plus infinities among the logits of the generated tokens.
        stand_in: What ran in place of generate(); None if generate() ran.
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
    """The text of the ids. Spaces are not cleaned up, because that would hide a difference."""
    try:
        return _decode(tokenizer, ids, skip_special_tokens=skip_special_tokens)
    except Exception:  # noqa: BLE001  see token_text()
        return "".join(token_text(tokenizer, token_id) for token_id in ids)


def token_text(tokenizer: PreTrainedTokenizerBase, token_id: int) -> str:
    """One token as text, with its leading space; as in the vocabulary if it is only part of a character."""
    piece: str | bytes | None
    try:
        piece = tokenizer.convert_ids_to_tokens(token_id)
        text = _decode(tokenizer, [token_id])
    except Exception:  # noqa: BLE001  no such token: a model may pick an id that has only a row of its embedding table
        piece = None
    if piece is None:
        return f"#{token_id}"
    if isinstance(piece, bytes):  # a tokenizer with its own code, around tiktoken
        piece = "".join(f"<0x{byte:02X}>" for byte in piece)
    if "▁" in piece:  # sentencepiece: its decoder drops a leading space
        return piece.replace("▁", " ")
    return piece if not text or "\N{REPLACEMENT CHARACTER}" in text else text


def _decode(
    tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...] | list[int], *, skip_special_tokens: bool = False
) -> str:
    with panics_as_errors():
        return str(
            tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False)
        )
