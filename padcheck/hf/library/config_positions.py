"""What the config says of positions and depth: whether padding may shift a token, and how rounding adds up."""

from transformers import PretrainedConfig

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
"""The model types whose config does not say; their code was read."""

_ROTARY_KEYS = ("rope_parameters", "rope_theta", "rope_scaling", "rotary_dim", "rotary_pct", "rotary_emb_base")


def position_encoding(config: PretrainedConfig) -> PositionEncoding:
    """The kind of position encoding, read from the config; "unknown" where neither it nor its model type tells."""
    if getattr(config, "alibi", False):
        return "alibi"
    if config.model_type in _BY_MODEL_TYPE:
        return _BY_MODEL_TYPE[config.model_type]
    if any(hasattr(config, key) for key in _ROTARY_KEYS):
        return "rotary"
    return "unknown"


def max_position_embeddings(config: PretrainedConfig) -> int | None:
    """The number of positions the model was made for, or None where it has no such limit."""
    limit = getattr(config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def num_layers(config: PretrainedConfig) -> int | None:
    """The depth of the model, or None where the config does not say."""
    depth = getattr(config.get_text_config(), "num_hidden_layers", None)
    return depth if isinstance(depth, int) and depth > 0 else None
