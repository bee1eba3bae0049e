"""Shrinks the config of any architecture to toy size."""

from itertools import accumulate, pairwise
from typing import Any

from transformers import PretrainedConfig

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.toys.tiny_sizes import DERIVED, REPLACED, Original, num_rotary_pairs, shrink_number

_Dict = dict[str, Any]

_DROPPED = {"dtype", "torch_dtype", "quantization_config"}
_BASE_KEYS = PretrainedConfig().to_dict().keys()

_DEPTHS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "layers"),
    *("decoder_layers", "num_decoder_layers", "depth"),
)
"""Keys for the number of layers of the model that is measured."""

_FOLLOWING_DEPTHS = ("encoder_layers", "num_encoder_layers", "num_blocks", "conf_num_hidden_layers")
"""Keys for the number of layers of an encoder next to it, or for the same number under another name."""

_LAYER_INDICES = {
    "attn_layer_indices",
    "cross_attention_layers",
    "full_attn_idxs",
    "global_attn_indexes",
    "hybrid_layer_ids",
    "intermediate_layers_indices",
    "mlp_only_layers",
    "moe_layers",
    "ple_layer_ids",
}
_FIRST_LAYERS = ("first_k_dense_replace", "max_window_layers", "moe_layer_start_index", "num_dense_layers")
_LAST_LAYERS = ("num_kv_shared_layers",)
_SOURCE_LAYERS = ("kv_source_layers",)
"""Keys of lists that name, for each layer, the layer whose keys and values it reads; itself if it has its own."""
_MOST_LAYERS = 10_000
"""Deeper models do not exist, and choosing among more layers would take minutes."""
_MOST_KINDS = 4
"""If a list of one number for each layer has more different numbers, they are not kinds of layers."""
_SHARED_LAYERS = ("zamba", "zamba2")
"""Model types whose attention layers share one set of weights. It takes two such layers to show that."""


def shrink_config(config: PretrainedConfig) -> PretrainedConfig:
    """Returns a toy-size copy of `config`, including its sub-configs; the original does not change.

    The copy keeps everything that padding can affect: the position scheme and its range, every kind of layer of the
    original (attention, linear attention, convolution, state space, dense, experts, shared keys and values, and each
    combination that its config lists), at least two layers if the original has two, expert routing, latent attention,
    tied embeddings, the vocabulary and the special tokens.

    Sliding windows, chunks, blocks and sparse selections become 8 tokens or fewer, so that they affect a short prompt.
    Widths, heads, experts and ranks become small, and multipliers tuned to the full width become 1. The dtype and any
    quantization are removed.

    Raises:
        NotMeasuredError: The config has more than 10,000 layers.
    """
    toy = type(config).from_dict(_shrink(config.to_dict(), {}))
    toy.name_or_path = config.name_or_path  # with trust_remote_code, transformers looks for the model's code there
    return toy


def _shrink(config: _Dict, outer: Original) -> _Dict:
    """Shrinks one dict. `outer` is the config around a dict without a model_type, such as `rope_parameters`."""
    model_type = config.get("model_type") or ""
    original = config if model_type else {**outer, **config}
    # A part without model_type has the base class's keys without using them, and may not accept them as arguments.
    dropped = _DROPPED if model_type else _DROPPED | _BASE_KEYS
    toy = {
        key: _shrink(value, original) if isinstance(value, dict) else _shrink_value(key, value, original)
        for key, value in config.items()
        if key not in dropped
    }
    _keep_one_layer_of_each_kind(toy, copies=2 if model_type in _SHARED_LAYERS else 1)
    return toy | REPLACED.get(model_type, {})


def _shrink_value(key: str, value: Any, original: Original) -> Any:
    if value is None:
        return None if "qk_rope_head_dim" in original else DERIVED.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return shrink_number(key, value, original)
    if isinstance(value, list | tuple) and not key.endswith("_token_id"):
        return _shrink_list(key, list(value), original)
    return value


def _shrink_list(key: str, values: list[Any], original: Original) -> list[Any]:
    num_pairs = num_rotary_pairs(original)
    if key in ("short_factor", "long_factor"):
        return [values[pair * len(values) // num_pairs] for pair in range(num_pairs)]
    if key == "mrope_section":
        edges = [round(edge * num_pairs / sum(values)) for edge in accumulate(values, initial=0)]
        return [end - start for start, end in pairwise(edges)]
    if key == "block_types":  # a pattern that is repeated over the layers
        return list(dict.fromkeys(values))
    return values if key in _LAYER_INDICES else [_shrink_value(key, value, original) for value in values]


def _keep_one_layer_of_each_kind(toy: _Dict, copies: int) -> None:
    """Reduces the depth, and every key about single layers, to the first `copies` layers of each kind, in place."""
    depth = next(
        (toy[key] for key in _DEPTHS if isinstance(toy.get(key), int)), len(toy.get("layers_block_type") or ())
    )
    if not depth:
        return
    if depth > _MOST_LAYERS:
        raise NotMeasuredError(
            f"config.json describes a model of {depth} layers.",
            meaning="No model is that deep, so the file is probably damaged.",
            change="Check config.json.",
        )
    lists = {key: value for key, value in toy.items() if isinstance(value, list)}
    indices = {key: value for key, value in lists.items() if key in _LAYER_INDICES}
    lists = {key: value for key, value in lists.items() if key not in indices and len(value) == depth}
    sources = {key: lists.pop(key) for key in _SOURCE_LAYERS if key in lists}
    ends = {key: toy[key] for key in _FIRST_LAYERS if isinstance(toy.get(key), int)}
    starts = {key: depth - toy[key] for key in _LAST_LAYERS if isinstance(toy.get(key), int)}
    overrides = {int(layer): override for layer, override in (toy.get("per_layer_config") or {}).items()}

    telling = [value for value in lists.values() if not _is_a_number_for_each(value)]

    def kind(layer: int) -> str:
        listed = [value[layer] for value in telling], [layer in value for value in indices.values()]
        counted = [layer < end for end in ends.values()], [layer >= start for start in starts.values()]
        shared = [(value[layer] == layer, layer in value[layer + 1 :]) for value in sources.values()]
        return repr((listed, counted, shared, overrides.get(layer)))

    kinds = [kind(layer) for layer in range(depth)]
    kept = [layer for layer in range(depth) if kinds[:layer].count(kinds[layer]) < copies]
    if len(kept) == 1:  # some faults need a layer that reads another layer's output
        kept = list(range(min(2, depth)))
    kept = sorted({*kept, *(value[layer] for value in sources.values() for layer in kept)})

    toy |= {key: [value[layer] for layer in kept] for key, value in lists.items()}
    toy |= {key: [kept.index(value[layer]) for layer in kept] for key, value in sources.items()}
    toy |= {key: [new for new, old in enumerate(kept) if old in value] for key, value in indices.items()}
    toy |= {key: sum(layer < end for layer in kept) for key, end in ends.items()}
    toy |= {key: sum(layer >= start for layer in kept) for key, start in starts.items()}
    toy |= {key: len(kept) for key in (*_DEPTHS, *_FOLLOWING_DEPTHS) if isinstance(toy.get(key), int)}
    if overrides:
        toy["per_layer_config"] = {new: overrides[old] for new, old in enumerate(kept) if old in overrides}
    if "attention_types" in toy:  # the same kinds, as [[kinds, repetitions]]
        toy["attention_types"] = [[toy["attention_layers"], 1]]


def _is_a_number_for_each(values: list[Any]) -> bool:
    """True if the list has too many different numbers to be kinds of layers: each layer has its own scale or size."""
    several = max(_MOST_KINDS, len(values) / 2)
    return all(isinstance(value, (int, float)) for value in values) and len(set(values)) > several
