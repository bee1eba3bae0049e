"""The variants of the model types: each can be built, has the limits of its checkpoints, and toys pass all of them."""

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from padcheck.core.settings import MeasureSettings
from padcheck.core.variant_name import variant_name
from padcheck.hf.library.auto_classes import causal_model_types
from padcheck.hf.library.length_limits import length_limits
from padcheck.hf.load.without_weights import load_without_weights
from padcheck.hf.toys.architectures import default_config, is_architecture_name, number_prompts, number_tokenizer
from padcheck.hf.toys.tiny_config import shrink_config
from padcheck.hf.toys.variants import find_variant, variants_of

VARIANTS = [variant_name(model_type, each) for model_type in causal_model_types() for each in variants_of(model_type)]
NEW_TOKENS = 6


def config_of(name):
    if find_variant(name)[0] not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {name}")
    return default_config(name)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_differs_from_the_default_config_and_keeps_its_model_type(name):
    config, default = config_of(name), default_config(find_variant(name)[0])
    assert config.model_type == default.model_type
    assert config.to_dict() != default.to_dict()
    assert shrink_config(config).to_dict() != shrink_config(default).to_dict()


@pytest.mark.parametrize("name", ["gpt2", "llama4_text", "ministral3", "qwen4_exp_text", *VARIANTS])
def test_prompts_and_new_tokens_lie_on_both_sides_of_every_limit_of_a_toy(name):
    config = config_of(name)
    encoded = number_tokenizer(config)(list(number_prompts(config, name)))["input_ids"]
    lengths = [len(input_ids) for input_ids in encoded]
    for limit in length_limits(shrink_config(config)):
        assert limit.tokens <= 8
        assert min(lengths) < limit.tokens < max(lengths) + NEW_TOKENS
        assert any(length <= limit.tokens < length + NEW_TOKENS for length in lengths), "none passes it while decoding"


def test_a_variant_that_passes_its_limit_while_decoding_begins_below_it():
    for name in VARIANTS:
        lengths = find_variant(name)[1].prompt_lengths
        assert name.endswith("-decoding") == (max(lengths) < 8 < max(lengths) + NEW_TOKENS)


def test_a_variant_is_loaded_by_its_name():
    assert is_architecture_name("llama+dynamic")
    assert not is_architecture_name("llama+static")
    loaded = load_without_weights(MeasureSettings(model="llama+dynamic-decoding", tiny=True))
    assert loaded.config.model_type == "llama"
    assert loaded.prompts == number_prompts(loaded.config, "llama+dynamic-decoding")
    assert [len(prompt.split()) for prompt in loaded.prompts] == [7, 6, 4, 2]


def test_layers_keep_the_order_of_the_variant():
    assert shrink_config(config_of("minimax")).layer_types == ["full_attention", "linear_attention"]
    assert shrink_config(config_of("minimax+linear-first")).layer_types == ["linear_attention", "full_attention"]
