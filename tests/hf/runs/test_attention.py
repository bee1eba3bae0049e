"""The attention implementation is changed for a while and then restored."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from zoo.families import build_family

from padcheck.hf.library.exceptions import NotOpenError
from padcheck.hf.runs.attention import other_attention

pytestmark = pytest.mark.skipif(
    not hasattr(PreTrainedModel, "set_attn_implementation"),
    reason="this version of transformers does not change the attention implementation of a loaded model",
)


def llama(implementation: str) -> PreTrainedModel:
    def of(config: object) -> PreTrainedModel:
        return AutoModelForCausalLM.from_config(config, attn_implementation=implementation)

    return build_family(torch.float32, of=of)


def logits_of(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([[4, 5, 6, 7, 8, 9]])).logits


@pytest.mark.parametrize(("own", "other"), [("sdpa", "eager"), ("eager", "sdpa")])
def test_the_other_implementation_runs_within_the_context_and_the_models_own_afterwards(own: str, other: str) -> None:
    model = llama(own)
    before = logits_of(model)
    with other_attention(model):
        assert model.config._attn_implementation == other
        within = logits_of(model)
    assert model.config._attn_implementation == own
    assert torch.equal(logits_of(model), before)
    assert torch.equal(within, logits_of(llama(other)))
    torch.testing.assert_close(within, before, atol=1e-4, rtol=0.0)


def test_the_models_own_implementation_is_restored_after_an_error() -> None:
    model = llama("sdpa")
    with pytest.raises(IndexError), other_attention(model):
        model(torch.tensor([[10**6]]))
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(("own", "named"), [("flash_attention_2", "flash_attention_2"), (None, "its own code")])
def test_a_model_without_another_implementation_says_so(own: str | None, named: str) -> None:
    model = SimpleNamespace(config=SimpleNamespace(_attn_implementation=own), set_attn_implementation=pytest.fail)
    reason = f"^the model has no attention implementation besides {named}$"
    with pytest.raises(NotOpenError, match=reason), other_attention(model):
        pytest.fail("it ran")


def test_a_model_that_cannot_change_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(implementation: str) -> None:
        if implementation == "eager":
            raise ValueError("eager is not supported")

    model = llama("sdpa")
    monkeypatch.setattr(model, "set_attn_implementation", refuse)
    with pytest.raises(NotOpenError, match=r"^the model does not support eager$"), other_attention(model):
        pytest.fail("it ran")
    monkeypatch.setattr(model, "set_attn_implementation", lambda _implementation: None)
    with (
        pytest.raises(NotOpenError, match=r"^the model cannot change from sdpa after loading$"),
        other_attention(model),
    ):
        pytest.fail("it ran")
    assert model.config._attn_implementation == "sdpa"
