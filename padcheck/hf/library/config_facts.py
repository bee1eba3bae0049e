"""What config and generation_config say about a model: positions, depth, quantization, generation settings."""

from transformers import GenerationConfig, PretrainedConfig

from padcheck.core.facts import PositionEncoding

_BY_MODEL_TYPE: dict[str, PositionEncoding] = {
    **dict.fromkeys(("bloom", "mpt"), "alibi"),
    **dict.fromkeys(("ctrl", "xglm", "marian", "pegasus", "musicgen", "musicgen_melody"), "sinusoidal"),
    **dict.fromkeys(("xlnet", "cpmant", "inkling_text", "inkling2_text"), "relative"),
    "roformer": "rotary",
    **dict.fromkeys(
        ("mamba", "mamba2", "falcon_mamba", "rwkv", "xlstm", "jamba", "zamba", "nemotron_h", "kimi_linear"), "none"
    ),
    **dict.fromkeys(
        (
            *(
                "gpt2",
                "gpt-sw3",
                "gpt_bigcode",
                "gpt_neo",
                "openai-gpt",
                "opt",
                "biogpt",
                "git",
                "trocr",
                "whisper",
                "xlm",
            ),
            *("bart", "mbart", "mvp", "plbart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "prophetnet"),
            *("bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert"),
            *(
                "reformer",
                "rembert",
                "roberta",
                "roberta-prelayernorm",
                "roc_bert",
                "xlm-roberta",
                "xlm-roberta-xl",
                "xmod",
            ),
        ),
        "learned",
    ),
}
"""Model types whose config does not say how they encode positions. Source: their modelling code in transformers."""

GGUF_METHOD = "gguf"
"""The quantization method that transformers 5 writes into the config of a model from a GGUF file."""

_LARGEST_SIZE = 2**53

_ROTARY_KEYS = ("rope_parameters", "rope_theta", "rope_scaling", "rotary_dim", "rotary_pct", "rotary_emb_base")


def position_encoding(config: PretrainedConfig) -> PositionEncoding:
    """How the model encodes positions, by its config and model type; "unknown" if neither says."""
    if getattr(config, "alibi", False):
        return "alibi"
    if config.model_type in _BY_MODEL_TYPE:
        return _BY_MODEL_TYPE[config.model_type]
    if any(hasattr(config, key) for key in _ROTARY_KEYS):
        return "rotary"
    return "unknown"


def max_position_embeddings(config: PretrainedConfig) -> int | None:
    """The largest number of tokens that the model was made for; None if the config sets no limit."""
    return _size(getattr(config, "max_position_embeddings", None))


def num_layers(config: PretrainedConfig) -> int | None:
    """The number of layers; None if the config does not say."""
    return _size(getattr(config.get_text_config(), "num_hidden_layers", None))


def _size(value: object) -> int | None:
    """The value if it is a size that a model can have."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_SIZE else None


def quantization(config: PretrainedConfig) -> tuple[str | None, str | None]:
    """How the weights are quantized, and why that makes rows of a batch depend on each other.

    Weights from a GGUF file do not count: transformers unpacks them while loading, although transformers 5 still names
    the format in the config.

    Returns:
        The method, None if the weights are not quantized; and the reason, None if rows do not depend on each other.

    Source: huggingface/transformers#22269: LLM.int8 (Dettmers et al., 2022) keeps a column of the activations in 16 bit
    if any row of the batch exceeds the threshold.
    """
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None, None
    settings = settings if isinstance(settings, dict) else settings.to_dict()
    method = settings.get("quant_method", "unknown")
    method = str(getattr(method, "value", method))  # an enum if the model is in memory
    if method == GGUF_METHOD:
        return None, None
    if not settings.get("load_in_8bit"):
        bits = settings.get("bits") or (4 if settings.get("load_in_4bit") else None)
        return (method if bits is None else f"{method}, {bits} bit"), None
    outliers = settings.get("llm_int8_threshold", 6.0) > 0
    reason = "LLM.int8 keeps a column in 16 bit if any row of the batch has an outlier in it"
    return f"{method}, LLM.int8", reason if outliers else None


def generation_settings(generation_config: GenerationConfig) -> dict[str, object]:
    """The settings in a generation_config that differ from the defaults."""
    meta = {"transformers_version", "_from_model_config"}
    return {
        key: value for key, value in generation_config.to_diff_dict().items() if key not in meta and value is not None
    }
