"""Builds an architecture from its model type: the default config, and a tokenizer whose tokens are numbers.

Nothing is downloaded: the config is the default of transformers' own class, with a small vocabulary.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoConfig, PretrainedConfig, PreTrainedTokenizerFast

from padcheck.core.errors import NotMeasuredError
from padcheck.core.use_case import HEADS, Task
from padcheck.core.variant_name import split_variant_name
from padcheck.hf.library.auto_classes import decodes_after_an_encoder, is_encoder, model_types_for
from padcheck.hf.toys.variants import find_variant, variants_of

_VOCAB_SIZE = 512

_SEED = 5
"""Of the prompts. With those of most seeds, including 0, the step size of nemotron_h is not clamped in every prompt."""

_INDEXER = {
    "indexer_n_heads": 4,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 256,
    "indexer_budget": 2048,
    "indexer_compress_ratio": 4,
}
_ROPE = {"rope_type": "default", "rope_theta": 50000.0}


def _in_sections(theta: float, *sections: int) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": theta, "mrope_section": list(sections)}
    return {"text_config": {"rope_parameters": rope}}


_COMPLETED: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [9, 18, 27]},
    "bert-generation": {"is_decoder": True},
    "blt": {"num_hidden_layers": 25},  # its cache reads the number of layers, but only the config's parts have it
    "cohere_compass_text": {
        "layer_types": [*["sliding_attention"] * 3, "full_attention"] * 10,
        "rope_parameters": {"sliding_attention": _ROPE, "full_attention": _ROPE},
    },
    "dbrx": {"attn_config": {"rope_theta": 500000.0, "clip_qkv": 8.0}},
    "deepseek_v2": {"num_experts_per_tok": 6},
    "dots1": {"n_routed_experts": 128, "n_shared_experts": 2, "num_experts_per_tok": 6},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"] * 16},
    "laguna": {"layer_types": ["sliding_attention", "full_attention"] * 20},
    "lfm2": {"full_attn_idxs": [2, 5, 8, 10, 12, 14]},
    "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"] * 8},
    **{key: _in_sections(1e4, 8, 12, 12) for key in ("glm46v", "glm4v", "glm4v_moe", "glm_ocr", "glmga")},
    **{key: _in_sections(1e6, 16, 24, 24) for key in ("paddleocr_vl", "qwen2_5_vl", "qwen2_vl")},
    "mellum": {"layer_types": ["sliding_attention", "full_attention"] * 14},
    "minimax_m3_vl_text": {"layer_types": ["full_attention", "minimax_m3_sparse"] * 30},
    "qwen4_exp": {"text_config": _INDEXER},
    "qwen4_exp_text": _INDEXER,
    "reformer": {"hash_seed": 0},  # without it, every call draws other buckets
    "xlm": {"causal": True},
    "xmod": {"default_language": "en_XX"},
}
"""By model type, settings that checkpoints have and the default config lacks.

Without them the model does not run as a causal language model, or lacks a kind of layer. They apply to a part of
another config as well.
"""

_DRAFTS = "it drafts for another model, and takes that model's hidden states and keys instead of a prompt"
_AUDIO_CODES = "it continues the codes of several audio codebooks, not text"
_NO_PROMPT = {
    "gemma4_assistant": _DRAFTS,
    "gemma4_unified_assistant": _DRAFTS,
    "musicgen": _AUDIO_CODES,
    "musicgen_melody": _AUDIO_CODES,
}
"""By model type, why it cannot run on a text prompt, although AutoModelForCausalLM lists it."""

_HUB_IDS = ("ctrl", "gpt2", "openai-gpt")
"""Model types that are also ids on the hub, from its first years, when ids had no owner's name."""

_VOCAB_SIZE_KEY = re.compile(r"(\w+_)?vocab_size(_per_layer_input)?|n_words")
_TOKEN_ID_KEY = re.compile(r"\w+_(token|tok)_(ids?|index)|pad_index")


def is_architecture_name(name: str, task: Task | None = None) -> bool:
    """True if the name is a model type, or a variant of one, that has a class for the task, and no folder or hub id."""
    model_type, variant = split_variant_name(name)
    known = model_type in model_types_for(task) and variant in (None, *variants_of(model_type))
    return known and name not in _HUB_IDS and not Path(name).is_dir()


def default_config(name: str, task: Task | None = None) -> PretrainedConfig:
    """The default config of transformers' own class, with a vocabulary of at most 512.

    It is that of a causal language model, unless the task has a head: then an encoder attends in both directions.

    It always has a pad token that is not eos: if the default has none, the first id without a special meaning.

    Args:
        name: A model type, such as `phi3`, or a variant of one, such as `phi3+longrope`.
        task: What the caller does with the model.

    Raises:
        NotMeasuredError: The architecture does not run on text only.
        Exception: Whatever transformers raises if the default config is not valid.
    """
    model_type, variant = find_variant(name)
    if model_type in _NO_PROMPT:
        raise NotMeasuredError(f"{model_type} does not run on text only: {_NO_PROMPT[model_type]}.")
    settings = _COMPLETED.get(model_type, {}) | variant.settings
    if task in HEADS:
        settings = {key: value for key, value in settings.items() if key not in ("is_decoder", "causal")}
    elif is_encoder(model_type) and not (task == "score" and decodes_after_an_encoder(model_type)):
        settings = settings | {"is_decoder": True}  # without it, an encoder attends in both directions
    config = AutoConfig.for_model(model_type, **settings)
    parts = {
        key: _COMPLETED[part.model_type]
        for key, part in vars(config).items()
        if isinstance(part, PretrainedConfig) and part.model_type in _COMPLETED and key not in settings
    }
    config = _with_small_vocabulary(AutoConfig.for_model(model_type, **settings, **parts) if parts else config)
    text = config.get_text_config(decoder=True)
    pad = getattr(text, "pad_token_id", None)
    if pad is None or pad < 0 or pad in _listed(getattr(text, "eos_token_id", None)):
        # The text part of an encoder-decoder's config is a copy, so both are set.
        config.pad_token_id = text.pad_token_id = ordinary_ids(config)[0]
    decodes = task in (*HEADS, "score") and config.is_encoder_decoder
    if decodes and getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = config.pad_token_id  # as in checkpoints of T5
    return config


def ordinary_ids(config: PretrainedConfig) -> list[int]:
    """The ids of the vocabulary that `config` and its parts do not use as special tokens, in ascending order."""
    special = set(_token_ids(config.to_dict()))
    vocab_size = config.get_text_config(decoder=True).vocab_size
    return [token_id for token_id in range(vocab_size) if token_id not in special]


def number_tokenizer(config: PretrainedConfig, task: Task | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are spelled as their ids, besides the special tokens of `config`; other text is unk.

    It pads on the left, and for a task with a head on the right, as most tokenizers of such models do.
    """
    text = config.get_text_config(decoder=True)
    ids = {"pad": text.pad_token_id, "unk": ordinary_ids(config)[0], "bos": getattr(text, "bos_token_id", None)}
    ids["eos"] = next(iter(_listed(getattr(text, "eos_token_id", None))), None)
    tokens = {token_id: f"<{name}>" for name, token_id in reversed(ids.items()) if token_id is not None}
    vocab = {tokens.get(token_id, str(token_id)): token_id for token_id in range(text.vocab_size)}
    words = Tokenizer(WordLevel(vocab, unk_token=tokens[ids["unk"]]))
    words.pre_tokenizer = WhitespaceSplit()
    special = {f"{name}_token": tokens[token_id] for name, token_id in ids.items() if token_id is not None}
    side = "right" if task in HEADS else "left"
    return PreTrainedTokenizerFast(tokenizer_object=words, padding_side=side, **special)


def number_prompts(config: PretrainedConfig, name: str = "", task: Task | None = None) -> tuple[str, ...]:
    """Four fixed prompts for the tokenizer of numbers, without special tokens, as long as the named variant asks.

    For a task with a head, those of an encoder-decoder end in eos, where some heads read. No token occurs twice: equal
    tokens may tie in a top-k selection, and a tie is no fault of padding.
    """
    lengths = find_variant(name)[1].prompt_lengths
    usable = ordinary_ids(config)[1:]  # the first one is unk
    draw = random.Random(_SEED)  # noqa: S311  not for cryptography
    drawn = iter(dict.fromkeys(draw.choice(usable) for _ in range(4 * sum(lengths))))  # each only once
    prompts = tuple(" ".join(str(next(drawn)) for _ in range(length)) for length in lengths)
    ends_in_eos = task in HEADS and config.is_encoder_decoder
    eos = number_tokenizer(config).eos_token if ends_in_eos else None
    return prompts if eos is None else tuple(f"{prompt} {eos}" for prompt in prompts)


def _with_small_vocabulary(config: PretrainedConfig) -> PretrainedConfig:
    """A copy with at most 512 tokens; special token ids beyond that become the last ids."""
    settings = config.to_dict()
    past = sorted({token_id for token_id in _token_ids(settings) if token_id >= _VOCAB_SIZE})
    moved = {token_id: _VOCAB_SIZE - 1 - place for place, token_id in enumerate(past)}

    def shrink(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shrink(str(key), part) for key, part in value.items()}
        if _VOCAB_SIZE_KEY.fullmatch(key) and isinstance(value, int):
            return min(value, _VOCAB_SIZE)
        if _TOKEN_ID_KEY.fullmatch(key):
            return [moved.get(each, each) for each in value] if isinstance(value, list) else moved.get(value, value)
        return value

    return type(config).from_dict(shrink("", settings))


def _token_ids(settings: dict[str, Any]) -> Iterator[int]:
    """All special token ids in a config and its parts."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _token_ids(value)
        elif _TOKEN_ID_KEY.fullmatch(str(key)):
            yield from (each for each in _listed(value) if isinstance(each, int))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
