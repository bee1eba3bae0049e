"""Toy-size models: small, kept in everything that padding can affect, with weights that make faults visible."""

import random
from typing import Any

import pytest
import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.toys.tiny_config import shrink_config
from padcheck.hf.toys.tiny_model import build_tiny_model

SMALL_VOCAB = {"vocab_size": 512}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {},
    "mistral": SMALL_VOCAB,
    "gemma2": SMALL_VOCAB,
    "mixtral": SMALL_VOCAB,
    "deepseek_v3": SMALL_VOCAB,
    "mamba": SMALL_VOCAB,
    "bamba": {**SMALL_VOCAB, "attn_layer_indices": [9, 18, 27]},
    "qwen3_next": SMALL_VOCAB,
    "gemma3": {"text_config": SMALL_VOCAB},
}


@pytest.fixture(params=ARCHITECTURES)
def config(request: pytest.FixtureRequest) -> PretrainedConfig:
    return config_of(request.param, **ARCHITECTURES[request.param])


def config_of(model_type: str, **settings: Any) -> PretrainedConfig:
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    return AutoConfig.for_model(model_type, **settings)


def last_logits(model: PreTrainedModel, input_ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits = model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits
    return logits[:, -1].float()  # (batch, vocab_size)


def test_a_toy_is_small_and_sensitive_and_in_eval_mode(config: PretrainedConfig) -> None:
    before = repr(config.to_dict())
    model = build_tiny_model(config)
    assert repr(config.to_dict()) == before
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    # Only the layers are small: the size of the tables depends on the vocabulary, which is not reduced.
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    assert sum(weight.numel() for weight in model.parameters() if id(weight) not in tables) < 1_000_000

    input_ids = torch.arange(10, 34).reshape(2, 12)  # (batch, seq_len)
    logits = last_logits(model, input_ids)  # (batch, vocab_size)
    assert logits.isfinite().all()
    assert 1.0 < logits.std(dim=-1).mean() < 3.0

    altered = input_ids.clone()  # (batch, seq_len)
    altered[:, 1] += 100
    swapped = input_ids[:, [0, 2, 1, *range(3, 12)]]  # (batch, seq_len)
    for changed in (altered, swapped):
        difference = (last_logits(model, changed) - logits).abs().amax(dim=-1)  # (batch,)
        assert (difference > 0.1).all()

    alone = torch.cat([last_logits(model, row[None]) for row in input_ids])  # (batch, vocab_size)
    torch.testing.assert_close(alone, logits, atol=1e-4, rtol=0.0)


def test_a_config_with_a_number_of_layers_that_no_model_has_is_refused() -> None:
    with pytest.raises(NotMeasuredError, match="a model of 1000000000000 layers"):
        shrink_config(AutoConfig.for_model("gpt2", n_layer=10**12))


def test_the_weights_depend_only_on_the_seed() -> None:
    config = config_of("llama", vocab_size=512)
    first, again, other = (build_tiny_model(config, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_the_global_random_state_does_not_change() -> None:
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    build_tiny_model(config_of("gpt2"), seed=3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == python_state


def test_another_dtype_rounds_the_same_weights_but_not_the_rotary_frequencies() -> None:
    config = config_of("llama", vocab_size=512)
    exact, rounded = build_tiny_model(config), build_tiny_model(config, dtype=torch.bfloat16)
    for name, weight in exact.state_dict().items():
        assert torch.equal(rounded.state_dict()[name], weight.to(torch.bfloat16))
    exact_buffers = dict(exact.named_buffers())
    assert exact_buffers
    for name, buffer in rounded.named_buffers():
        assert torch.equal(buffer, exact_buffers[name])


def test_the_attention_implementation_is_passed_on() -> None:
    model = build_tiny_model(config_of("llama", vocab_size=512), attn_implementation="eager")
    assert model.config._attn_implementation == "eager"


def test_the_dtype_of_the_checkpoint_is_ignored() -> None:
    config = config_of("llama", vocab_size=512, torch_dtype="bfloat16")
    assert build_tiny_model(config).dtype == torch.float32


@pytest.mark.parametrize(
    ("model_type", "attribute", "settings"),
    [
        ("bamba", "layers_block_type", {"attn_layer_indices": [9, 18, 27]}),
        ("jamba", "layers_block_type", {}),
        ("zamba", "layers_block_type", {}),
        ("recurrent_gemma", "layers_block_type", {}),
        ("gpt_neo", "attention_layers", {}),
        ("qwen3_next", "layer_types", {}),
        ("minimax", "layer_types", {}),
        ("gpt_oss", "layer_types", {}),
        ("lfm2", "layer_types", {"full_attn_idxs": [2, 5, 8, 10, 12, 14]}),
    ],
)
def test_the_toy_has_every_kind_of_layer(model_type: str, attribute: str, settings: dict[str, Any]) -> None:
    config = config_of(model_type, **settings)
    toy = shrink_config(config)
    assert set(getattr(toy, attribute)) == set(getattr(config, attribute))
    assert 2 <= len(getattr(toy, attribute)) <= 4


def test_the_toy_has_dense_and_expert_layers() -> None:
    model = build_tiny_model(config_of("deepseek_v3", vocab_size=512))
    kinds = [type(layer.mlp).__name__ for layer in model.model.layers]
    assert kinds == ["DeepseekV3MLP", "DeepseekV3MoE"]


def test_the_toy_has_layers_with_and_without_shared_keys_and_values() -> None:
    toy = shrink_config(config_of("gemma3n_text"))
    shared = toy.layer_types[-toy.num_kv_shared_layers :]
    assert set(shared) == set(toy.layer_types[: -toy.num_kv_shared_layers]) == {"sliding_attention", "full_attention"}


@pytest.mark.parametrize("model_type", ["mistral", "gemma2", "phi3"])
def test_a_sliding_window_is_shorter_than_a_short_prompt(model_type: str) -> None:
    assert shrink_config(config_of(model_type, sliding_window=4096)).sliding_window == 8


def test_everything_that_padding_affects_is_kept() -> None:
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = config_of(
        "llama",
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
        max_position_embeddings=131072,
        eos_token_id=[128001, 128008, 128009],
        tie_word_embeddings=True,
        rope_scaling={**rope, "original_max_position_embeddings": 8192},
    )
    toy = shrink_config(config)
    kept = ("vocab_size", "eos_token_id", "tie_word_embeddings")
    assert {name: getattr(toy, name) for name in kept} == {name: getattr(config, name) for name in kept}
    assert toy.rope_scaling == config.rope_scaling | {"original_max_position_embeddings": 8}
    assert toy.max_position_embeddings == 128  # 16 times as long, as before
    assert (toy.num_attention_heads, toy.num_key_value_heads) == (4, 2)


def test_rope_factors_fit_the_smaller_head() -> None:
    factors = [1.0 + index for index in range(48)]
    scaling = {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": factors}
    config = config_of("phi3", rope_scaling=scaling, max_position_embeddings=131072, pad_token_id=0, vocab_size=512)
    toy = shrink_config(config)
    assert toy.rope_scaling["long_factor"] == factors[::6]
    last_logits(build_tiny_model(config), torch.arange(10)[None])


def test_rope_factors_fit_the_rotated_part_of_a_latent_head() -> None:
    factors = [1.0 + index for index in range(16)]
    scaling = {"type": "longrope", "short_factor": factors, "long_factor": factors}
    lengths = {"original_max_position_embeddings": 4096, "max_position_embeddings": 131072}
    config = config_of("minicpm3", rope_scaling=scaling, vocab_size=512, **lengths)
    assert shrink_config(config).rope_parameters["long_factor"] == factors[::4]
    last_logits(build_tiny_model(config), torch.arange(10)[None])


@pytest.mark.parametrize(
    ("scaling", "lengths", "limit"),
    [
        ({"rope_type": "dynamic", "factor": 4.0}, {"max_position_embeddings": 4096}, {"max_position_embeddings": 8}),
        ({"rope_type": "linear", "factor": 4.0}, {"max_position_embeddings": 4096}, {"max_position_embeddings": 4096}),
    ],
)
def test_the_range_of_positions_is_short_only_if_it_is_a_limit(
    scaling: dict[str, Any], lengths: dict[str, int], limit: dict[str, int]
) -> None:
    toy = shrink_config(config_of("llama", rope_scaling=scaling, **lengths))
    assert {key: getattr(toy, key) for key in limit} == limit


def test_limits_that_are_smaller_than_those_of_a_toy_stay() -> None:
    toy = shrink_config(
        config_of("llama", rope_scaling={"rope_type": "dynamic", "factor": 2.0}, max_position_embeddings=6)
    )
    assert toy.max_position_embeddings == 6


def test_multipliers_tuned_to_the_full_width_do_not_flatten_the_logits() -> None:
    config = config_of("granite", vocab_size=512, logits_scaling=16, attention_multiplier=0.0078125)
    logits = last_logits(build_tiny_model(config), torch.arange(10)[None])
    assert 1.0 < logits.std() < 3.0


def test_the_toy_of_a_quantized_model_is_not_quantized() -> None:
    toy = shrink_config(
        config_of("llama", quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]})
    )
    assert not hasattr(toy, "quantization_config")


def test_a_different_number_for_each_layer_is_not_a_kind_of_layer() -> None:
    config = AutoConfig.for_model("llama", num_hidden_layers=40, per_layer_scale=[layer / 40 for layer in range(40)])
    toy = shrink_config(config)
    assert toy.num_hidden_layers == 2
    assert toy.per_layer_scale == [0.0, 0.025]


def test_two_numbers_in_few_layers_are_kinds_of_layers() -> None:
    toy = shrink_config(AutoConfig.for_model("llama", num_hidden_layers=3, no_rope_layers=[1, 1, 0]))
    assert toy.num_hidden_layers == 2
    assert toy.no_rope_layers == [1, 0]


def test_a_layer_that_reads_the_keys_of_another_layer_keeps_that_layer() -> None:
    sources = [0, 1, 2, 3, 3, 5, 6, 3]
    toy = shrink_config(AutoConfig.for_model("llama", num_hidden_layers=8, kv_source_layers=sources))
    # A layer that reads its own keys, one that others read as well, and one that reads those of another.
    assert toy.num_hidden_layers == 3
    assert toy.kv_source_layers == [0, 1, 1]


def test_a_model_with_one_layer_keeps_it() -> None:
    assert shrink_config(config_of("llama", num_hidden_layers=1)).num_hidden_layers == 1
