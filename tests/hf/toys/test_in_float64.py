"""A toy in float64 rounds as float64 does, although its code casts to float32."""

import pytest
import torch

from padcheck.hf.library.auto_classes import causal_model_types
from padcheck.hf.toys.architectures import default_config
from padcheck.hf.toys.tiny_model import build_tiny_model

PROMPT = torch.arange(11, 23)[None]  # (1, 12)


def difference(model):
    """How far padding moves the logits of the last token: by rounding only."""
    padded = torch.cat([torch.full((1, 5), 3), PROMPT], dim=1)
    mask = torch.tensor([[0] * 5 + [1] * 12])
    with torch.no_grad():
        alone = model(PROMPT, attention_mask=torch.ones_like(PROMPT)).logits
        left = model(padded, attention_mask=mask).logits
    return far(alone, left)


def far(alone, left):
    return float((alone[:, -1] - left[:, -1]).abs().max())


def toy(model_type, dtype):
    if model_type not in causal_model_types():
        pytest.skip(f"this transformers has no {model_type}")
    return build_tiny_model(default_config(model_type), dtype=dtype)


@pytest.mark.parametrize("model_type", ["llama", "gemma2", "mamba", "mixtral", "qwen3_next", "gpt_oss", "doge"])
def test_it_rounds_as_float64_does(model_type):
    assert difference(toy(model_type, torch.float64)) < 1e-12


def test_the_weights_are_those_of_float32():
    model, in_float32 = toy("llama", torch.float64), toy("llama", torch.float32)
    for name, weight in in_float32.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.double())
    with torch.no_grad():
        assert far(model(PROMPT).logits, in_float32(PROMPT).logits) < 1e-4


def test_without_it_a_cast_to_float32_rounds():
    model = toy("llama", torch.float64)
    model.forward = model.forward.__wrapped__
    assert 1e-9 < difference(model) < 1e-4


def test_nothing_remains_after_a_call():
    model = toy("llama", torch.float64)
    with torch.no_grad():
        model(PROMPT)
        with pytest.raises(IndexError):
            model(PROMPT + 10**6)
    assert torch.get_default_dtype() == torch.float32
    assert torch.ones(1).float().dtype == torch.float32
