"""The toy value for each key of a config.

Keys with the same meaning get the same toy value: `hidden_size`, `d_model` and `n_embd`, for example. The toy values
fit together, as checks in the architectures require: 4 heads of 16 make a width of 64, and state-space heads of 16 make
`expand` times the width. Ratios of the original stay (key-value heads to heads, rotated part to head). `REPLACED` has
the exceptions.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from padcheck.hf.library.length_limits import scaled_from

Original = Mapping[str, Any]
_Rule = Callable[[int, Original], int]

_WIDTH = 64
_NUM_HEADS = 4
_HEAD_DIM = _WIDTH // _NUM_HEADS
_LATENT_ROPE_DIM = _HEAD_DIM // 2
_FFN_WIDTH = 2 * _WIDTH
_WINDOW = 8


def shrink_number(key: str, value: float, original: Original) -> float:
    """The toy value of a number; the number itself if its key is not a size.

    Args:
        key: The key in its config.
        value: The original's number, an int or a float; the result has the same type.
        original: The config with this key: some sizes depend on others.
    """
    if key == "attention_multiplier":
        return float(_HEAD_DIM**-0.5)
    if re.fullmatch(r".*_multipliers?|logits_scaling|logit_scale", key):
        return type(value)(1)
    if key == "partial_rotary_factor" and "qk_rope_head_dim" not in original:
        return rotary_dim(value) / _HEAD_DIM
    rule = next((rule for pattern, rule in _RULES if pattern.fullmatch(key)), None)
    return rule(value, original) if rule and isinstance(value, int) and value > 0 else value


def rotary_dim(share: float) -> int:
    """The number of rotated dimensions of a toy head: even, and at least two frequencies (4)."""
    return max(4, 2 * round(share * _HEAD_DIM / 2))


def num_rotary_pairs(original: Original) -> int:
    """The number of frequencies of a toy head, or of the rotated part of a head in latent attention."""
    if "qk_rope_head_dim" in original:
        return _LATENT_ROPE_DIM // 2
    return rotary_dim(original.get("partial_rotary_factor") or 1.0) // 2


def _size(original: Original, *keys: str) -> int:
    return next((size for size in map(original.get, keys) if isinstance(size, int)), 0)


def _original_width(original: Original) -> int:
    return _size(original, "hidden_size", "d_model", "n_embd", "emb_dim") or _WIDTH


def _original_num_heads(original: Original) -> int:
    return _size(original, "num_attention_heads", "n_head", "n_heads", "num_heads") or _NUM_HEADS


def _to(size: int) -> _Rule:
    return lambda _value, _original: size


def _at_most(size: int) -> _Rule:
    return lambda value, _original: min(value, size)


def _as_a_width(value: int, original: Original) -> int:
    return max(_HEAD_DIM, _WIDTH * value // _original_width(original) // _HEAD_DIM * _HEAD_DIM)


def _as_a_head(value: int, original: Original) -> int:
    """The head size of an attention that is wider than the model."""
    return _HEAD_DIM * value * _original_num_heads(original) // _original_width(original)


def _as_a_latent_head(value: int, original: Original) -> int:
    """The size of a part of a head; in latent attention, in the original's ratio to the rotated part."""
    rope_dim = _size(original, "qk_rope_head_dim")
    return _LATENT_ROPE_DIM * value // rope_dim if rope_dim else _HEAD_DIM


def _rotated(value: int, original: Original) -> int:
    head_dim = _size(original, "head_dim") or _original_width(original) // _original_num_heads(original)
    return rotary_dim(value / head_dim)


def _key_value_heads(value: int, original: Original) -> int:
    if value == 1:
        return 1
    return _NUM_HEADS if value == _original_num_heads(original) else _NUM_HEADS // 2


def _linear_key_heads(value: int, original: Original) -> int:
    return _NUM_HEADS if value == _size(original, "linear_num_value_heads") else _NUM_HEADS // 2


def _linear_value_head(value: int, original: Original) -> int:
    return _HEAD_DIM * value // _size(original, "linear_key_head_dim")


def _state_space_width(_value: int, original: Original) -> int:
    return (_size(original, "expand", "mamba_expand") or 2) * _WIDTH


def _state_space_heads(value: int, original: Original) -> int:
    return _state_space_width(value, original) // _HEAD_DIM


def _few_state_space_heads(value: int, original: Original) -> int:
    return min(value, _state_space_heads(value, original))


def _state_space_head(value: int, original: Original) -> int:
    num_heads = _few_state_space_heads(_size(original, "n_mamba_heads"), original)
    return _state_space_width(value, original) // num_heads


def _positions(value: int, original: Original) -> int:
    """If rotary positions are scaled, the range keeps its ratio to the length from which they are."""
    begin = scaled_from(original)
    return value if begin is None or begin <= _WINDOW else max(_WINDOW, value * _WINDOW // begin)


def _heads(value: int, original: Original) -> int:
    return _state_space_heads(value, original) if "state_size" in original else _NUM_HEADS


_RULES: tuple[tuple[re.Pattern[str], _Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        # Widths
        (r"(pooler_)?hidden_size(_global)?|backbone_hidden_size|d_model|n_embd|emb_dim|dim_model_base", _to(_WIDTH)),
        (r"embed_dim", _at_most(_WIDTH)),
        (r"out_hidden_size|projector_(in|out)put_dim|adapter_(input_size|in_dim|out_dim)", _to(_WIDTH)),
        (r"attention_hidden_size|(input_|output_)?embedding_size|embedding_dim", _as_a_width),
        (r"word_embed_proj_dim|lru_width", _as_a_width),
        (r"hidden_size_per_layer_input|ple_embed_dim", _to(_HEAD_DIM)),
        (r"(dense_|shared_)?intermediate_size(_mlp)?|ffn_hidden_size|feed_forward_size", _to(_FFN_WIDTH)),
        (r"((de|en)coder_)?ffn_dim|mlp_dim|n_inner|d_inner|dff|dim_ff|d_ff", _to(_FFN_WIDTH)),
        (r"(moe_|shared_experts?_|moe_shared_expert_)intermediate_size|expert_ffn_hidden_size", _to(_FFN_WIDTH // 4)),
        # Attention
        (r"num_heads", _heads),
        (r"(num_|n_)?((de|en)coder_|swa_|linear_|conf_)?(num_)?(attention_)?heads?(_per_layer)?", _to(_NUM_HEADS)),
        (r"(swa_)?num_key_value_heads|num_kv_heads|kv_n_heads|n_head_kv", _key_value_heads),
        (r"num_query_groups|multi_query_group_num", _key_value_heads),
        (r"head_dim|qk_(nope_|rope_)?head_dim", _as_a_latent_head),
        (r"(swa_|v_|index_)head_dim|attention_head_size|d_head|dim_head|d_kv|kv_channels", _to(_HEAD_DIM)),
        (r"attention_head_dim", _as_a_head),
        (r"query_pre_attn_scalar", _to(_HEAD_DIM)),
        (r"rotary_dim", _rotated),
        (r"(q|kv|o)_lora_rank|adapter_rank|laurel_rank|hc_lowrank", _at_most(_HEAD_DIM)),
        (r"o_groups", _at_most(2)),
        # With few heads, most scores of an indexer are zero, and its choice among equal scores would be random.
        (r"index_n_heads|indexer_n_heads", _at_most(16)),
        # Linear attention and state spaces
        (r"linear_num_value_heads", _to(_NUM_HEADS)),
        (r"linear_num_key_heads", _linear_key_heads),
        (r"linear_(key_)?head_dim", _to(_HEAD_DIM)),
        (r"linear_value_head_dim", _linear_value_head),
        (r"mamba_d_ssm", _state_space_width),
        (r"mamba_(n|num)_heads", _state_space_heads),
        (r"mamba_(d_head|head_dim)", _to(_HEAD_DIM)),
        (r"n_mamba_heads", _few_state_space_heads),
        (r"mamba_headdim", _state_space_head),
        (r"mamba_d_state|(ssm_)?state_size", _at_most(_HEAD_DIM)),
        (r"time_step_rank|mamba_dt_rank", _to(_WIDTH // 16)),
        (r"(mamba_)?n_?groups", _at_most(2)),
        # Experts
        (r"num_experts|(num_local|n_routed|moe_num)_experts", _at_most(8)),
        (r"num_experts_per_tok(en)?|moe_(top_?)?k", _at_most(2)),
        (r"n_group|num_expert_group", _at_most(2)),
        (r"topk_group", _at_most(1)),
        (r"zero_expert_num", _at_most(4)),
        # Windows, chunks, blocks and selections, in tokens
        (r"sliding_window(_size)?|(attention_|keep_)?window_size|local_attention(_window_len)?", _at_most(_WINDOW)),
        (r"((mamba_|attention_)?chunk|block)_size|(local|lsh)_attn_chunk_length", _at_most(_WINDOW)),
        (r"index_topk|indexer_budget|heavily_compressed_attention", _at_most(_WINDOW)),
        (r"index_block_size|indexer_compress_ratio|compressed_sparse_attention", _at_most(_WINDOW // 2)),
        (r"index_topk_blocks", _at_most(2)),
        (r"floor_scale|log_scaling_n_floor|original_max_position_embeddings", _at_most(_WINDOW)),
        (r"max_position_embeddings", _positions),
        # Periods that say which layer is of which kind
        (r"(attn|expert)_layer_period|full_attention_interval|global_attn_every_n_layers", _at_most(2)),
        (r"decoder_sparse_step|interleave_moe_layer_step|no_rope_layer_interval", _at_most(2)),
        (r"_?sliding_window_pattern|layer_group_size|n_layers_per_attn_res_block", _at_most(2)),
        (r"(attn|expert)_layer_offset", _at_most(1)),
        # Hashed n-grams: their ids do not come from a tokenizer
        (r"encoder_hash_byte_group_vocab|ngram_vocab_size_base", _at_most(1024)),
    )
)

DERIVED = {"head_dim": _HEAD_DIM, "num_key_value_heads": _NUM_HEADS}
"""Toy values for sizes that a config may leave as None. Some architectures cannot derive them."""

REPLACED: dict[str, dict[str, Any]] = {
    # The number of layers is derived: two stacks of this many layers, run in cycles.
    "hrm_text": {"num_hidden_layers": 2, "num_layers_per_stack": None},
    # Without a GPU, transformers before 5 raises unless the kernels are switched off.
    "jamba": {"use_mamba_kernels": False},
    "zamba": {"use_mamba_kernels": False},
    "zamba2": {"use_mamba_kernels": False},
    # The causal class requires is_decoder, and the two axial embedding sizes must add up to the width.
    "reformer": {"is_decoder": True, "axial_pos_embds_dim": [_WIDTH // 4, _WIDTH * 3 // 4]},
    # One place rounds half the width up to 64, another does not.
    "xlstm": {"hidden_size": 2 * _WIDTH, "embedding_dim": 2 * _WIDTH},
}
"""By model type, the values that replace those of the rules."""
