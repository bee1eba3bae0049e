"""Facts about the tokenizer, and about the special token ids of tokenizer, config and generation_config."""

from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase

from padcheck.core.facts import ChatTemplateFacts, SpecialTokenIds, TokenIds, TokenizerFacts
from padcheck.hf.tokenizer.encoding import encode, render_chat
from padcheck.hf.tokenizer.pad_tokens import PadToken, suggest_pad_token

_VERY_LARGE = 10**9
"""Tokens. A larger limit means "no limit": transformers' placeholder for that is 10**30."""


def special_token_ids(
    tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig, generation_config: GenerationConfig
) -> SpecialTokenIds:
    """The pad, bos and eos ids of tokenizer, config and generation_config."""
    return SpecialTokenIds(
        tokenizer=_token_ids(tokenizer), config=_token_ids(config), generation_config=_token_ids(generation_config)
    )


def _token_ids(place: PreTrainedTokenizerBase | PretrainedConfig | GenerationConfig) -> TokenIds:
    # The config of a multimodal wrapper may lack the attributes. eos is an int or a list of ints.
    eos = getattr(place, "eos_token_id", None)
    return TokenIds(
        pad=getattr(place, "pad_token_id", None),
        bos=getattr(place, "bos_token_id", None),
        eos=tuple(eos) if isinstance(eos, (list, tuple)) else None if eos is None else (eos,),
    )


def eos_ids(ids: SpecialTokenIds) -> set[int]:
    """Every id that tokenizer, config or generation_config names as eos."""
    return {token_id for place in (ids.tokenizer, ids.config, ids.generation_config) for token_id in place.eos or ()}


def tokenizer_facts(
    tokenizer: PreTrainedTokenizerBase,
    ids: SpecialTokenIds,
    pad_token: PadToken,
    embedding_rows: int | None,
    chat_template: ChatTemplateFacts | None,
) -> TokenizerFacts:
    """Facts about the tokenizer as loaded, and about the pad token that is used.

    Args:
        tokenizer: The tokenizer, not called since it was loaded.
        ids: The special token ids of tokenizer, config and generation_config.
        pad_token: The pad token that is used.
        embedding_rows: The number of rows of the embedding table; None if unknown.
        chat_template: Facts about its chat template; None if it has none.
    """
    # Read these first: the first call of the tokenizer clears the settings from tokenizer.json.
    backend = getattr(tokenizer, "backend_tokenizer", None)
    saved_padding = getattr(backend, "padding", None) is not None
    saved_truncation = getattr(backend, "truncation", None) is not None
    limit, vocab = tokenizer.model_max_length, tokenizer.get_vocab()
    return TokenizerFacts(
        class_name=type(tokenizer).__name__,
        is_fast=tokenizer.is_fast,
        padding_side=tokenizer.padding_side,
        padding_side_source=_source(tokenizer, "padding_side"),
        truncation_side=tokenizer.truncation_side,
        truncation_side_source=_source(tokenizer, "truncation_side"),
        pad_token=tokenizer.pad_token,
        pad_token_id=tokenizer.pad_token_id,
        bos_token=tokenizer.bos_token,
        bos_token_id=tokenizer.bos_token_id,
        eos_token=tokenizer.eos_token,
        eos_token_id=tokenizer.eos_token_id,
        unk_token=tokenizer.unk_token,
        unk_token_id=tokenizer.unk_token_id,
        vocab_size=len(tokenizer),
        max_token_id=max(vocab.values()),
        model_max_length=int(limit) if limit is not None and limit < _VERY_LARGE else None,
        pad_token_used=pad_token.token,
        pad_token_used_id=pad_token.token_id,
        pad_token_used_reason=pad_token.reason,
        pad_token_suggestion=suggest_pad_token(tokenizer, vocab, eos_ids(ids), embedding_rows),
        chat_template=chat_template,
        saved_padding=saved_padding,
        saved_truncation=saved_truncation,
    )


def _source(tokenizer: PreTrainedTokenizerBase, attribute: str) -> str:
    # init_kwargs has the values from tokenizer_config.json, but no class defaults.
    return "tokenizer_config.json" if attribute in tokenizer.init_kwargs else "class default"


def chat_template_facts(tokenizer: PreTrainedTokenizerBase, pad_token: PadToken) -> ChatTemplateFacts | None:
    """What the chat template makes of one message; None if there is no template."""
    if not tokenizer.chat_template:
        return None
    try:
        rendered = render_chat(tokenizer, "Hello")
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a template is a program, and may refuse a single message
        return ChatTemplateFacts(leading_bos=0, pad_tokens=0)
    input_ids = encode(tokenizer, rendered)
    leading_bos = 0
    while leading_bos < len(input_ids) and input_ids[leading_bos] == tokenizer.bos_token_id:
        leading_bos += 1
    return ChatTemplateFacts(leading_bos=leading_bos, pad_tokens=input_ids.count(pad_token.token_id))
