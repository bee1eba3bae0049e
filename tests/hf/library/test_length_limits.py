"""The lengths at which a model changes what it does, read from configs of real architectures."""

import pytest
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from padcheck.hf.library.length_limits import length_limits
from padcheck.hf.toys.architectures import default_config

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LLAMA3 |= {"original_max_position_embeddings": 8192}
LONGROPE = {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
LONG = {"original_max_position_embeddings": 4096, "max_position_embeddings": 131072}


def limits_of(model_type, **settings):
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    config = AutoConfig.for_model(model_type, **settings) if settings else default_config(model_type)
    return {limit.key: (limit.tokens, limit.what) for limit in length_limits(config)}


def test_longrope_and_dynamic_scaling_change_at_a_length():
    scaled = "position scaling changes"
    found = limits_of("phi3", rope_scaling=LONGROPE, pad_token_id=0, **LONG)
    assert found == {"original_max_position_embeddings": (4096, scaled)}
    dynamic = limits_of("llama", rope_scaling={"rope_type": "dynamic", "factor": 4.0}, max_position_embeddings=4096)
    assert dynamic == {"max_position_embeddings": (4096, scaled)}


@pytest.mark.parametrize(
    "settings",
    [
        {"max_position_embeddings": 4096},
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "max_position_embeddings": 4096},
        {"rope_scaling": LLAMA3, "max_position_embeddings": 131072},
    ],
    ids=["not scaled", "linear", "llama3"],
)
def test_scaling_that_is_the_same_at_every_length_is_no_limit(settings):
    assert limits_of("llama", **settings) == {}


def test_the_end_of_a_table_of_positions_is_no_limit():
    assert limits_of("gpt2") == {}


@pytest.mark.parametrize(
    ("model_type", "settings", "expected"),
    [
        ("mistral", {"sliding_window": 4096}, {"sliding_window": 4096}),
        ("mistral", {"sliding_window": None}, {}),
        ("gemma2", {}, {"sliding_window": 4096}),
        ("qwen2", {"use_sliding_window": False, "sliding_window": 4096}, {}),
        ("dots1", {}, {}),
        ("gpt_neo", {}, {"window_size": 256}),
        ("big_bird", {}, {}),
        ("mamba2", {}, {"chunk_size": 256}),
        ("llama4_text", {}, {"attention_chunk_size": 8192, "floor_scale": 8192}),
        ("llama4_text", {"attn_temperature_tuning": False}, {"attention_chunk_size": 8192}),
        ("inkling2_text", {}, {"sliding_window_size": 1024, "log_scaling_n_floor": 128000}),
        ("ministral3", {}, {"original_max_position_embeddings": 16384}),
        ("deepseek_v32", {}, {"index_topk": 2048}),
        ("minimax_m3_vl_text", {}, {"index_topk_blocks": 2048}),
    ],
)
def test_a_size_counts_if_some_layer_uses_it(model_type, settings, expected):
    assert {key: tokens for key, (tokens, _) in limits_of(model_type, **settings).items()} == expected


def test_the_smallest_comes_first():
    assert [limit.tokens for limit in length_limits(AutoConfig.for_model("gpt_neo", window_size=7))] == [7]
    if "inkling2_text" in CONFIG_MAPPING_NAMES:
        tokens = [limit.tokens for limit in length_limits(default_config("inkling2_text"))]
        assert tokens == sorted(tokens)


def test_a_multimodal_config_has_the_limits_of_its_language_model():
    assert limits_of("gemma3") == {"sliding_window": (4096, "the attention window is full")}
