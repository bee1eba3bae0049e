"""The file and the line of a place, and its text."""

from typing import Any

import accelerate
import torch
from places import assert_place_is, attention, ignore_mask, mlp, place_in
from torch import nn
from zoo.families import build_family

from padcheck.core.evidence import Place


def test_a_forward_that_accelerate_wraps_has_the_source_of_the_class() -> None:
    model = build_family(torch.float32)
    ignore_mask(attention(model))
    accelerate.hooks.add_hook_to_module(attention(model), accelerate.hooks.ModelHook())
    assert_place_is(place_in(model), model, attention(model))


def test_a_forward_that_was_assigned_to_one_module_has_its_own_source() -> None:
    model = build_family(torch.float32)
    own = mlp(model).forward

    def replaced(hidden: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = own(hidden)
        return output - output.mean(dim=1, keepdim=True)

    mlp(model).forward = replaced
    place = place_in(model)
    assert place is not None
    assert (place.class_name, place.file) == ("LlamaMLP", "tests/hf/place/test_source.py")
    assert place.line == replaced.__code__.co_firstlineno


def test_code_without_source_has_no_file_and_no_line() -> None:
    model = build_family(torch.float32)
    namespace = {"own": mlp(model).forward}
    exec(
        "def forward(hidden):\n    output = own(hidden)\n    return output - output.mean(dim=1, keepdim=True)",
        namespace,
    )
    mlp(model).forward = namespace["forward"]
    place = place_in(model)
    assert place is not None
    assert (place.file, place.line) == (None, None)
    assert str(place) == "model.layers.1.mlp (LlamaMLP)"


def test_the_text_of_a_place() -> None:
    place = Place(
        module="model.layers.2.self_attn",
        class_name="LlamaAttention",
        file="transformers/models/llama/modeling_llama.py",
        line=253,
        difference_before=0.0,
        difference=1.0,
        allowed=1e-5,
        prompt_index=0,
        step=0,
    )
    assert str(place) == "model.layers.2.self_attn (LlamaAttention, transformers/models/llama/modeling_llama.py:253)"


def test_the_text_of_a_place_that_is_the_model_itself() -> None:
    model = build_family(torch.float32)

    def shift(_model: nn.Module, _args: Any, output: Any) -> Any:
        output.logits = output.logits - output.logits.mean(dim=0, keepdim=True)
        return output

    model.register_forward_hook(shift)
    place = place_in(model)
    assert_place_is(place, model, model)
    assert place is not None
    assert str(place) == f"LlamaForCausalLM (transformers/models/llama/modeling_llama.py:{place.line})"
