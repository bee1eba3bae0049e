"""What checkpoints of an architecture set differently from its default config, where that runs other code.

A variant has a name such as `phi3+longrope`. `padcheck survey` runs the variants of each model type, and
`padcheck compare phi3+longrope --tiny` runs one of them.
"""

from typing import Any, NamedTuple

from padcheck.core.variant_name import split_variant_name

_Settings = dict[str, Any]

_BEGUN = (20, 19, 13, 4)
"""Tokens; they give pad counts of 0, 1, 7 and 16.

Three prompts are longer than a toy's limits of 8 and one is shorter; it is as short as a convolution.
"""
_REACHED = (7, 6, 4, 2)
"""Tokens; every prompt is shorter than 8 and passes it while it generates, at another step each."""


class Variant(NamedTuple):
    """A variant of a model type.

    Attributes:
        settings: What it changes in the default config.
        prompt_lengths: The length of each prompt in tokens.
    """

    settings: _Settings
    prompt_lengths: tuple[int, ...] = _BEGUN


def _rotary(kind: str, limit: int | None = None, **settings: Any) -> _Settings:
    rope = {"rope_type": kind, **settings}
    return {"rope_scaling": rope if limit is None else rope | {"original_max_position_embeddings": limit}}


def _longrope(pairs: int, **settings: Any) -> _Settings:
    """As in Phi-3: trained on 4096 tokens, with one pair of factors for each frequency."""
    factors = {"short_factor": [1.0] * pairs, "long_factor": [1.0 + pair / 2 for pair in range(pairs)]}
    lengths = {"original_max_position_embeddings": 4096, "max_position_embeddings": 131072}
    return {"rope_scaling": {"type": "longrope", **factors, **settings}, **lengths}


def _while_decoding(name: str, settings: _Settings) -> dict[str, Variant]:
    """With prompts on both sides of the limit, and with prompts that pass it while they generate."""
    return {name: Variant(settings), f"{name}-decoding": Variant(settings, _REACHED)}


def _of_one(name: str, settings: _Settings) -> dict[str, Variant]:
    return {name: Variant(settings)}


_DYNAMIC = _rotary("dynamic", factor=6.0)
_LINEAR = _rotary("linear", factor=4.0)
_YARN = _rotary("yarn", 32768, factor=4.0) | {"max_position_embeddings": 131072}
_LLAMA3 = _rotary("llama3", 8192, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
_PHIMOE = dict.fromkeys(("short_mscale", "long_mscale"), 1.243163121016122) | {"original_max_position_embeddings": 4096}

_VARIANTS: dict[str, dict[str, Variant]] = {
    "deepseek_v3": _of_one("yarn", _rotary("yarn", 4096, factor=40.0) | {"max_position_embeddings": 163840}),
    "inkling_text": _of_one("log-scaling", {"log_scaling_n_floor": 128000}),  # as Inkling 2 has by default
    "internlm3": _while_decoding("dynamic", _DYNAMIC),
    "llama": _while_decoding("dynamic", _DYNAMIC)
    | _of_one("linear", _LINEAR)
    | _of_one("llama3", _LLAMA3 | {"max_position_embeddings": 131072})
    | _of_one("yarn", _YARN),
    "minicpm3": _while_decoding("longrope", _longrope(16)),
    "minimax": _of_one(
        "linear-first",
        {"layer_types": [*["linear_attention"] * 7, "full_attention"] * 10, "num_hidden_layers": 80},
    ),
    "mistral": _of_one("full", {"sliding_window": None}),
    "phi3": _while_decoding("longrope", _longrope(48)) | _of_one("sliding", {"sliding_window": 2047}),
    "phi4_multimodal": _while_decoding("longrope", _longrope(48)),
    "phimoe": _while_decoding("longrope", _longrope(64, **_PHIMOE)),
    "qwen2": _of_one("sliding", {"use_sliding_window": True}) | _of_one("yarn", _YARN),
    "qwen3": _of_one("yarn", _YARN),
    "starcoder2": _of_one("sliding", {"sliding_window": 4096}),
}
"""By model type and name."""


def variants_of(model_type: str) -> tuple[str, ...]:
    """The variants of a model type."""
    return tuple(_VARIANTS.get(model_type, ()))


def find_variant(name: str) -> tuple[str, Variant]:
    """The model type and the variant that a name means; a model type itself is the variant that changes nothing.

    Raises:
        KeyError: The model type has no such variant.
    """
    model_type, variant = split_variant_name(name)
    return model_type, Variant({}) if variant is None else _VARIANTS[model_type][variant]
