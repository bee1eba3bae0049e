"""The lengths at which a model changes what it does, as far as its config names them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from transformers import PretrainedConfig

from padcheck.core.facts import LengthLimit

_Settings = Mapping[str, Any]

_SCALED = "position scaling changes"
_SWITCHES = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"sliding_window(_size)?|(attention_)?window_size|local_attention_window_len", "the attention window is full"),
        (r"attention_chunk_size", "attention begins another chunk"),
        (r"index_topk|indexer_budget|keep_window_size", "attention selects the best tokens"),
        (r"floor_scale|log_scaling_n_floor", "the attention temperature changes"),
        (r"(mamba_)?chunk_size|block_size", "the prompt is read in more than one block"),
    )
)
"""Keys with a number of tokens, and what the modelling code of transformers does beyond it."""

_NEEDS = {"floor_scale": "attn_temperature_tuning"}
"""Keys that are read only if another key is true."""
_ENCODERS_ONLY = ("big_bird", "bigbird_pegasus")
"""Model types whose decoder attends to all blocks, whatever their size."""


def length_limits(config: PretrainedConfig) -> tuple[LengthLimit, ...]:
    """The limits of the language model of `config`, in ascending order.

    A limit is a number of tokens that modelling code compares a length or a position with. With more tokens than that,
    another part of the code runs, and a fault of that part shows only then. The end of a table of learned positions is
    none, because nothing runs beyond it.
    """
    settings = config.get_text_config(decoder=True).to_dict()
    found = {*_of_rotary_scaling(settings), *_of_keys(settings)}
    return tuple(sorted(found, key=lambda limit: (limit.tokens, limit.key)))


def scaled_ropes(settings: _Settings) -> list[_Settings]:
    """The parts of a config that scale rotary positions: one for all layers, or one for each kind of layer."""
    ropes = [settings.get("rope_parameters"), settings.get("rope_scaling")]
    parts = [part for rope in ropes if isinstance(rope, Mapping) for part in (rope, *rope.values())]
    return [part for part in parts if isinstance(part, Mapping) and _kind(part) not in (None, "default")]


def scaled_from(settings: _Settings) -> int | None:
    """The number of tokens that rotary positions are scaled up from; None if the config names none."""
    for rope in scaled_ropes(settings):
        key = "max_position_embeddings" if _kind(rope) == "dynamic" else "original_max_position_embeddings"
        # The config's own key comes first, as in transformers.
        for part in (settings, rope):
            if isinstance(number := part.get(key), int):
                return number
    return None


def _of_rotary_scaling(settings: _Settings) -> Iterator[LengthLimit]:
    """Of the kinds of scaling, longrope and dynamic depend on the length of a batch, and Llama 4's on the position."""
    tokens = scaled_from(settings)
    if tokens is None:
        return
    ropes = scaled_ropes(settings)
    kinds = {_kind(rope) for rope in ropes}
    if "dynamic" in kinds:
        yield LengthLimit(key="max_position_embeddings", tokens=tokens, what=_SCALED)
    elif kinds & {"longrope", "su"} or any(rope.get("llama_4_scaling_beta") for rope in ropes):
        yield LengthLimit(key="original_max_position_embeddings", tokens=tokens, what=_SCALED)


def _of_keys(settings: _Settings) -> Iterator[LengthLimit]:
    for key, value in settings.items():
        what = next((what for pattern, what in _SWITCHES if pattern.fullmatch(key)), None)
        if what is None or type(value) is not int or value < 1:
            continue
        if settings.get("model_type") in _ENCODERS_ONLY or (key in _NEEDS and not settings.get(_NEEDS[key])):
            continue
        if "window" in key and not _has_window(settings):
            continue
        yield LengthLimit(key=key, tokens=value, what=what)
    blocks, size = settings.get("index_topk_blocks"), settings.get("index_block_size")
    if isinstance(blocks, int) and isinstance(size, int):
        yield LengthLimit(key="index_topk_blocks", tokens=blocks * size, what="attention selects the best blocks")


def _has_window(settings: _Settings) -> bool:
    """False if the config has the size of a window and no layer uses it."""
    kinds = settings.get("layer_types")
    has_layer = not isinstance(kinds, list) or any(re.search("sliding|hybrid|compressed", str(kind)) for kind in kinds)
    return has_layer and settings.get("use_sliding_window") is not False


def _kind(rope: _Settings) -> str | None:
    return rope.get("rope_type") or rope.get("type")
