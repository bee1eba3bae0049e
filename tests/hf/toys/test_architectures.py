"""Every architecture gets a complete default config by its model type, and a tokenizer of numbers."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch
from transformers import AutoConfig, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.settings import MeasureSettings
from padcheck.hf.library.auto_classes import auto_class, causal_model_types, multimodal_model_types
from padcheck.hf.load.without_weights import load_architecture, load_without_weights
from padcheck.hf.toys.architectures import (
    default_config,
    is_architecture_name,
    number_prompts,
    number_tokenizer,
    ordinary_ids,
)
from padcheck.hf.toys.tiny_config import shrink_config
from padcheck.hf.toys.tiny_model import build_tiny_model

KINDS_OF_LAYERS = {
    "cohere_compass_text": ("layer_types", {"sliding_attention", "full_attention"}),
    "granitemoehybrid": ("layer_types", {"linear_attention", "full_attention"}),
    "laguna": ("layer_types", {"sliding_attention", "full_attention"}),
    "lfm2": ("layer_types", {"conv", "full_attention"}),
    "lfm2_moe": ("layer_types", {"conv", "full_attention"}),
    "mellum": ("layer_types", {"sliding_attention", "full_attention"}),
    "minimax_m3_vl_text": ("layer_types", {"full_attention", "minimax_m3_sparse"}),
    "qwen3_next": ("layer_types", {"linear_attention", "full_attention"}),
}


def config_of(model_type: str) -> PretrainedConfig:
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    return default_config(model_type)


def every_default_config() -> Iterator[tuple[str, PretrainedConfig]]:
    for model_type in causal_model_types():
        with suppress(Exception):  # the survey says why
            yield model_type, default_config(model_type)


def test_the_tokenizer_of_numbers_fits_every_default_config():
    number = 0
    for model_type, config in every_default_config():
        text = config.get_text_config(decoder=True)
        if not hasattr(text, "vocab_size"):  # Emu3 in transformers 4
            continue
        number += 1
        tokenizer = number_tokenizer(config)
        assert text.vocab_size <= 512, model_type
        assert len(tokenizer) == text.vocab_size, model_type
        assert tokenizer.pad_token_id == text.pad_token_id, model_type
        assert tokenizer.pad_token_id != tokenizer.eos_token_id, model_type
        assert all(token_id is None or 0 <= token_id < text.vocab_size for token_id in tokenizer.all_special_ids)
        encoded = [tokenizer(prompt)["input_ids"] for prompt in number_prompts(config)]
        assert [len(input_ids) for input_ids in encoded] == [20, 19, 13, 4], model_type
        assert not {*tokenizer.all_special_ids} & {token_id for input_ids in encoded for token_id in input_ids}
    assert number >= 80


def test_a_token_is_its_number_and_other_text_is_unk():
    tokenizer = number_tokenizer(default_config("llama"))
    assert tokenizer("17 303 5")["input_ids"] == [17, 303, 5]
    assert tokenizer("seventeen")["input_ids"] == [tokenizer.unk_token_id]
    assert tokenizer.decode([17, 303, 5]) == "17 303 5"


def test_bos_and_eos_may_be_one_token():
    tokenizer = number_tokenizer(default_config("gpt2"))
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == 511


def test_special_ids_beyond_the_small_vocabulary_become_the_last_ids():
    config = default_config("gpt2")
    assert (config.vocab_size, config.bos_token_id, config.eos_token_id) == (512, 511, 511)
    assert 511 not in ordinary_ids(config)


def test_a_pad_token_that_is_eos_is_replaced():
    config = default_config("mamba")  # its own pad token is eos
    assert config.eos_token_id == 0
    assert config.pad_token_id == 1


@pytest.mark.parametrize("model_type", ["bert", "roberta", "electra", "xlm-roberta"])
def test_an_encoder_becomes_a_decoder(model_type):
    config = default_config(model_type)
    model = build_tiny_model(config)
    input_ids = torch.tensor([ordinary_ids(config)[5:15]])
    changed = input_ids.clone()
    changed[0, -1] += 1
    with torch.no_grad():
        difference = (model(input_ids).logits - model(changed).logits).abs().amax(dim=-1)[0]  # (seq_len,)
    assert difference[:-1].max() < 1e-4
    assert difference[-1] > 0.1


@pytest.mark.parametrize("model_type", KINDS_OF_LAYERS)
def test_the_toy_has_every_kind_of_layer_that_checkpoints_have(model_type):
    attribute, kinds = KINDS_OF_LAYERS[model_type]
    assert set(getattr(shrink_config(config_of(model_type)), attribute)) == kinds


@pytest.mark.parametrize(
    ("model_type", "kinds"),
    [
        ("lfm2_vl", {"conv", "full_attention"}),
        ("minimax_m3_vl", {"full_attention", "minimax_m3_sparse"}),
        ("cohere_compass", {"sliding_attention", "full_attention"}),
    ],
)
def test_a_part_of_a_multimodal_config_has_every_kind_of_layer_too(model_type, kinds):
    text = config_of(model_type).get_text_config(decoder=True)
    assert set(text.layer_types) == kinds


def test_a_model_that_does_not_run_on_text_is_refused_with_the_reason():
    with pytest.raises(NotMeasuredError, match="audio codebooks"):
        config_of("musicgen")


def test_a_name_is_an_architecture_only_if_it_is_not_a_folder_or_hub_id(tmp_path, monkeypatch):
    assert is_architecture_name("llama")
    assert is_architecture_name("llava")
    assert not is_architecture_name("gpt2")  # an id on the hub
    assert not is_architecture_name("meta-llama/Llama-2-7b-hf")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llama").mkdir()
    assert not is_architecture_name("llama")


def test_an_architecture_can_be_loaded_even_if_its_name_is_a_hub_id():
    loaded = load_architecture(MeasureSettings(model="gpt2", tiny=True))
    assert loaded.config.model_type == "gpt2"
    assert loaded.generation_config.eos_token_id is None
    assert loaded.generation_config.pad_token_id is None
    assert loaded.prompts == number_prompts(loaded.config)


@pytest.mark.parametrize("options", [{"tokenizer": "gpt2"}, {"revision": "main"}])
def test_revision_and_tokenizer_are_refused_for_an_architecture(options):
    with pytest.raises(UsageError, match="name of a model type"):
        load_without_weights(MeasureSettings(model="llama", tiny=True, **options))


def test_model_types_are_either_causal_or_multimodal():
    causal, multimodal = causal_model_types(), multimodal_model_types()
    assert {"gpt2", "llama", "rwkv"} <= set(causal)
    assert {"llava", "qwen2_vl"} <= set(multimodal)
    assert not set(causal) & set(multimodal)


@pytest.mark.parametrize("model_type", ["llava", "qwen2_vl", "idefics3"])
def test_the_language_model_of_a_multimodal_class_runs_on_text(model_type):
    if model_type == "qwen2_vl" and not hasattr(AutoConfig.for_model(model_type), "text_config"):
        pytest.skip("before transformers 5 its config has no parts")
    config = config_of(model_type)
    assert auto_class(config).__name__ == "AutoModelForImageTextToText"
    model = build_tiny_model(config)
    input_ids = torch.tensor([ordinary_ids(config)[5:15]])
    with torch.no_grad():
        logits = model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits
    assert logits.shape == (1, 10, 512)
    assert logits.std() > 1
