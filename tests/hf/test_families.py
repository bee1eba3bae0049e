"""Model families with different position encodings: left padding is harmless in all of them, right padding in none."""

from pathlib import Path
from typing import Any

import pytest
from model_folders import SPECIAL_TOKEN_IDS, VOCAB_SIZE, save_model, save_tokenizer
from transformers import AutoConfig

from padcheck.core.facts import PositionEncoding
from padcheck.core.progress import Silent
from padcheck.core.settings import DEFAULT_PROMPTS, JudgeSettings, MeasureSettings
from padcheck.core.verdicts import Verdict
from padcheck.running import one_model

BLOCKS: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}
FAMILIES: dict[str, tuple[dict[str, Any], PositionEncoding]] = {
    "llama": (BLOCKS, "rotary"),
    "qwen2": (BLOCKS, "rotary"),
    "mistral": (BLOCKS | {"sliding_window": 4}, "rotary"),
    "opt": (
        {
            "hidden_size": 32,
            "ffn_dim": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "word_embed_proj_dim": 32,
            "max_position_embeddings": 64,
            "init_std": 0.3,
        },
        "learned",
    ),
    "gpt_neo": (
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 4,
            "max_position_embeddings": 64,
            "initializer_range": 0.3,
        },
        "learned",
    ),
    "bloom": ({"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}, "alibi"),
    "mamba": ({"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "initializer_range": 0.3}, "none"),
}


PROMPTS = (*DEFAULT_PROMPTS, "three")
"""The last prompt is so short that its pads are within reach of two windows of 4; it is as long as a convolution."""


@pytest.mark.parametrize(
    ("model_type", "dtype"), [*((model_type, "float32") for model_type in FAMILIES), ("llama", "bfloat16")]
)
def test_padding_on_the_left_is_harmless_and_on_the_right_is_not(model_type: str, dtype: str, tmp_path: Path) -> None:
    config, position_encoding = FAMILIES[model_type]
    save_tokenizer(tmp_path)
    save_model(tmp_path, AutoConfig.for_model(model_type, vocab_size=VOCAB_SIZE, **SPECIAL_TOKEN_IDS, **config))

    settings = MeasureSettings(model=str(tmp_path), dtype=dtype, prompts=PROMPTS)

    report = one_model.compare(settings, JudgeSettings(), Silent())

    model = report.evidence.model
    assert (model.model_type, model.position_encoding, model.dtype) == (model_type, position_encoding, dtype)
    assert report.comparisons["left"].verdict in {Verdict.IDENTICAL, Verdict.EQUIVALENT}
    assert report.comparisons["right"].verdict is Verdict.DIFFERENT
    learned = ["PAD401"] if position_encoding == "learned" and model_type != "opt" else []  # opt uses the mask
    assert [finding.code for finding in report.findings if finding.code != "PAD203"] == ["PAD202", *learned]
    assert report.exit_code == 0
