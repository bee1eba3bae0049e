"""The module that a fault is in: planted in the base model, in one module deep inside, and nowhere."""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
import zoo
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedModel
from zoo import batches, masks, numbers, positions, states
from zoo.families import FAMILIES, PAD, VOCAB_SIZE, build_family
from zoo.planting import Arguments, plant

from padcheck.core.evidence import Place
from padcheck.core.facts import PaddingSide
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.forwards import forward
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.place.first_module import find_place
from padcheck.hf.place.watching import Watched, watched_generate
from padcheck.hf.runs.noise import rounding_errors

BATCH = Batch({0: tuple(range(4, 14)), 1: tuple(range(20, 31)), 2: (40, 41, 42)}, 11, PAD, VOCAB_SIZE, seed=0)
"""1, 0 and 8 pads."""
MANY_PADS, ONE_PAD = 2, 0
SETTINGS = MeasureSettings(max_new_tokens=4)


def place_in(
    model: PreTrainedModel, *, step: int = 0, prompt: int = MANY_PADS, side: PaddingSide = "left", **options: bool
) -> Place | None:
    with neutral_generation_config(model, PAD):
        return find_place(
            model,
            watched_generate(model, BATCH.alone()[prompt], 0, step, SETTINGS, **options),
            watched_generate(model, BATCH.padded(side), prompt, step, SETTINGS, **options),
            partial(rounding_errors, model),
            prompt_index=prompt,
        )


def base(model: PreTrainedModel) -> nn.Module:
    return model.base_model


def layer(number: int) -> Callable[[PreTrainedModel], nn.Module]:
    def of(model: PreTrainedModel) -> nn.Module:
        inner = model.base_model
        return (inner.h if hasattr(inner, "h") else inner.layers)[number]

    return of


def attention(model: PreTrainedModel) -> nn.Module:
    """Of the second layer."""
    inside = layer(1)(model)
    return next(getattr(inside, name) for name in ("self_attn", "attn", "mixer") if hasattr(inside, name))


def mlp(model: PreTrainedModel) -> nn.Module:
    """Of the second layer; a mixture of experts has its name from the version."""
    inside = layer(1)(model)
    return inside.mlp if hasattr(inside, "mlp") else inside.block_sparse_moe


def assert_is(place: Place | None, model: PreTrainedModel, module: nn.Module) -> None:
    """The place is this module, and its file and line are where the module's class has `def forward`."""
    assert place is not None
    name = next(name for name, other in model.named_modules() if other is module)
    assert place.module == (name or type(model).__name__)
    assert place.class_name == type(module).__name__
    owner = next(cls for cls in type(module).__mro__ if "forward" in vars(cls))
    assert place.file is not None
    path = Path(sys.modules[owner.__module__].__file__ or "")
    assert path.as_posix().endswith(f"/{place.file}")
    lines = path.read_text().splitlines()
    assert place.line is not None
    assert lines[place.line - 1].lstrip().startswith("def forward(")
    assert _class_around(lines, place.line) == owner.__name__
    assert place.difference_before is not None
    assert place.difference_before <= 1e-5
    assert place.difference is None or place.difference > 100 * place.allowed


def _class_around(lines: list[str], line: int) -> str:
    return next(found[1] for text in reversed(lines[:line]) if (found := re.match(r"class (\w+)", text)))


def num_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


# Faults planted in the base model


def first_attention(model: PreTrainedModel) -> nn.Module:
    return layer(0)(model).self_attn


def second_attention(model: PreTrainedModel) -> nn.Module:
    return layer(1)(model).self_attn


IN_THE_BASE_MODEL = {
    "mask ignored": (first_attention, {}),
    "mask ignored by mamba": (lambda model: layer(0)(model).mixer, {}),
    "mask dropped while decoding": (first_attention, {"step": 1}),
    "mask one pad short": (first_attention, {}),
    "mask one token long": (first_attention, {}),
    "soft mask": (first_attention, {}),
    "first slot always seen": (first_attention, {}),
    "three pads hidden at most": (first_attention, {}),
    "attention in blocks of slots": (first_attention, {"prompt": ONE_PAD}),
    "mask ignored by sdpa": (first_attention, {}),
    "mask added as a number by eager": (first_attention, {}),
    "learned positions by slot": (base, {}),
    "learned positions by slot while decoding": (base, {"step": 1}),
    "rotary positions by slot while decoding": (base, {"step": 1}),
    "positions of the first row": (base, {}),
    "positions as if padded on the left": (base, {"side": "right"}),
    "state runs over pads": (base, {}),
    "state in chunks of slots": (base, {"prompt": ONE_PAD}),
    "mean over pads": (base, {}),
    "dynamic rope": (lambda model: model.model.rotary_emb, {}),
    "expert capacity": (lambda model: layer(0)(model).mlp, {}),
    "one scale for the batch": (lambda model: layer(0)(model).mlp.down_proj, {}),
    # A pad attends to nothing; its NaN reaches real tokens in the layer after.
    "fully masked rows": (second_attention, {}),
    "first token read by count": (base, {}),
}


@pytest.mark.parametrize("name", IN_THE_BASE_MODEL)
def test_a_fault_of_the_base_model_is_where_it_first_shows(name: str) -> None:
    fault = next(fault for fault in zoo.FAULTS if fault.name == name)
    expected, run = IN_THE_BASE_MODEL[name]
    model = fault.build(torch.float32)
    assert_is(place_in(model, **run), model, expected(model))


def test_every_fault_has_a_place() -> None:
    elsewhere = {
        "learned positions by slot, passed",
        "fully masked rows in float16",
        # generate() itself gives the tokens behind pads on the right other positions.
        "state decays over pads on the right",
    }
    planted = (*positions.FAULTS, *masks.FAULTS, *states.FAULTS, *batches.FAULTS, *numbers.FAULTS)
    assert {fault.name for fault in planted} == IN_THE_BASE_MODEL.keys() | elsewhere


# Faults planted in one module


def ignore_mask(module: nn.Module) -> None:
    def ignore(_module: nn.Module, args: Any, kwargs: Arguments) -> tuple[Any, Arguments]:
        return args, kwargs | {"attention_mask": None}

    module.register_forward_pre_hook(ignore, with_kwargs=True)


def take_mean_over(*dims: int) -> Callable[[nn.Module], None]:
    def plant_in(module: nn.Module) -> None:
        def normalize(_module: nn.Module, _args: Any, output: Any) -> Any:
            if isinstance(output, tuple):  # a mixture of experts that gives the scores of its router as well
                return normalize(_module, _args, output[0]), *output[1:]
            return output - output.mean(dim=dims, keepdim=True)

        module.register_forward_hook(normalize)

    return plant_in


take_mean_over_slots, take_mean_over_batch = take_mean_over(1), take_mean_over(0, 1)


def number_by_slot(module: nn.Module) -> None:
    def number(_table: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (torch.arange(args[0].shape[-1]).expand_as(args[0]),)

    module.register_forward_pre_hook(number)


def stretch_by_pads(module: nn.Module) -> None:
    """Rotary positions are divided by the width of the batch."""

    def stretch(_rotary: nn.Module, args: Any, kwargs: Arguments) -> tuple[Any, Arguments]:
        hidden, position_ids = args if len(args) > 1 else (*args, kwargs["position_ids"])
        return (hidden, position_ids * 8.0 / hidden.shape[1]), {}

    module.register_forward_pre_hook(stretch, with_kwargs=True)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mixtral", "mamba", "gemma2"])
def test_a_layer_that_ignores_the_mask(model_type: str) -> None:
    model = build_family(torch.float32, model_type)
    ignore_mask(attention(model))
    assert_is(place_in(model), model, attention(model))


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mixtral", "gemma2"])
@pytest.mark.parametrize("fault", [take_mean_over_slots, take_mean_over_batch], ids=["slots", "batch"])
def test_an_mlp_that_normalizes_over_more_than_its_token(fault: Callable[[nn.Module], None], model_type: str) -> None:
    model = build_family(torch.float32, model_type)
    fault(mlp(model))
    assert_is(place_in(model), model, mlp(model))


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mamba"])
def test_embeddings_normalized_over_all_slots(model_type: str) -> None:
    model = build_family(torch.float32, model_type)
    take_mean_over_slots(model.get_input_embeddings())
    place = place_in(model)
    assert_is(place, model, model.get_input_embeddings())
    assert place is not None
    assert place.file == "torch/nn/modules/sparse.py"


def test_positions_numbered_by_slot_in_their_table() -> None:
    model = build_family(torch.float32, "gpt2")
    number_by_slot(model.transformer.wpe)
    assert_is(place_in(model), model, model.transformer.wpe)


def test_positions_changed_in_the_rotary_embedding() -> None:
    model = build_family(torch.float32)
    stretch_by_pads(model.model.rotary_emb)
    assert_is(place_in(model), model, model.model.rotary_emb)


def test_a_fault_that_begins_at_the_third_token() -> None:
    model = build_family(torch.float32)

    def break_late(_attention: nn.Module, _args: Any, kwargs: Arguments, output: Any) -> Any:
        hidden = kwargs["hidden_states"]
        late = hidden.shape[1] == 1 and kwargs["attention_mask"] is not None
        late = late and kwargs["attention_mask"].shape[-1] == BATCH.width + 2
        return (output[0] + 1.0, *output[1:]) if late else output

    attention(model).register_forward_hook(break_late, with_kwargs=True)
    assert place_in(model, step=0) is None
    assert place_in(model, step=1) is None
    place = place_in(model, step=2)
    assert_is(place, model, attention(model))
    assert place is not None
    assert place.step == 2


def test_without_a_cache_all_columns_of_a_later_step_are_compared() -> None:
    model = build_family(torch.float32)

    def break_late(_attention: nn.Module, _args: Any, kwargs: Arguments, output: Any) -> Any:
        is_second = kwargs["hidden_states"].shape[1] == BATCH.width + 1
        return (output[0] + 1.0, *output[1:]) if is_second else output

    attention(model).register_forward_hook(break_late, with_kwargs=True)
    assert place_in(model, step=0, with_cache=False) is None
    assert_is(place_in(model, step=1, with_cache=False), model, attention(model))


def test_one_forward_of_a_right_padded_batch() -> None:
    model = build_family(torch.float32)
    take_mean_over_slots(mlp(model))

    def watched(rows: Rows, row: int) -> Watched:
        return Watched(partial(forward, model, rows, SETTINGS), call=0, row=row, mask=rows[row][1].attention_mask)

    alone, padded = watched(BATCH.alone()[MANY_PADS], 0), watched(BATCH.padded("right"), MANY_PADS)
    place = find_place(model, alone, padded, partial(rounding_errors, model), prompt_index=MANY_PADS)
    assert_is(place, model, mlp(model))


def test_layers_that_share_their_weights() -> None:
    model = build_family(torch.float32)
    model.model.layers[1] = model.model.layers[0]
    ignore_mask(attention(model))
    assert_is(place_in(model, with_cache=False), model, attention(model))


# Positions that generate() passes


class PassesSlots(LlamaForCausalLM):
    """Like its namesake of GPT-2, to a model that a shift does not harm."""

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Arguments:
        inputs = super().prepare_inputs_for_generation(input_ids, *args, **kwargs)
        num_new = inputs["input_ids"].shape[1]
        inputs["position_ids"] = torch.arange(input_ids.shape[1])[-num_new:].expand(len(input_ids), -1)
        return inputs


class PassesSlotsOnceDecoding(PassesSlots):
    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> Arguments:
        prepare = super() if kwargs["past_key_values"].get_seq_length() else super(PassesSlots, self)
        return prepare.prepare_inputs_for_generation(input_ids, *args, **kwargs)


def test_wrong_positions_that_generate_passes() -> None:
    place = place_in(build_family(torch.float32, "gpt2", of=positions.PassesSlots))
    assert place is not None
    assert place.module == "PassesSlots.prepare_inputs_for_generation"
    assert place.class_name == "PassesSlots"
    assert place.file == "tests/support/zoo/positions.py"
    lines = Path(positions.__file__).read_text().splitlines()
    assert place.line is not None
    assert lines[place.line - 1].lstrip().startswith("def prepare_inputs_for_generation(")
    assert (place.difference_before, place.difference, place.allowed) == (0, 8, 0)


def test_rotary_positions_that_are_shifted_from_the_second_step_on() -> None:
    model = build_family(torch.float32, of=PassesSlotsOnceDecoding)
    assert place_in(model, step=0) is None
    place = place_in(model, step=1)
    assert place is not None
    assert place.module == "PassesSlotsOnceDecoding.prepare_inputs_for_generation"


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("build", [partial(build_family, of=PassesSlots), build_family])
def test_a_shift_of_all_rotary_positions_hides_no_other_fault(build: Callable[..., PreTrainedModel], step: int) -> None:
    model = build(torch.float32)
    if build is build_family:
        plant(model, positions.by_slot)
    assert place_in(model, step=step) is None

    def add_number_of_columns(_attention: nn.Module, _args: Any, kwargs: Arguments, output: Any) -> Any:
        mask = kwargs["attention_mask"]
        is_padded = mask is not None and len(mask) > 1
        now = kwargs["hidden_states"].shape[1] == (BATCH.width if step == 0 else 1)
        return (output[0] + 1.0, *output[1:]) if is_padded and now else output

    attention(model).register_forward_hook(add_number_of_columns, with_kwargs=True)
    assert_is(place_in(model, step=step), model, attention(model))


# Nowhere


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_clean_model_has_no_place(model_type: str, step: int) -> None:
    assert place_in(FAMILIES[model_type](torch.float32), step=step) is None


def test_other_tokens_are_no_place() -> None:
    model = plant(build_family(torch.float32), masks.ignored)
    assert place_in(model, step=3) is None


def test_a_call_that_never_comes_is_no_place() -> None:
    model = plant(build_family(torch.float32), masks.ignored)
    run = Watched(lambda: None, call=0, row=0, mask=(1, 1))
    assert find_place(model, run, run, partial(rounding_errors, model), prompt_index=0) is None


# What is left behind


def test_hooks_are_gone_afterwards() -> None:
    model = plant(build_family(torch.float32), masks.ignored)
    before = num_hooks(model)
    assert place_in(model) is not None
    assert num_hooks(model) == before


def test_hooks_are_gone_after_an_error() -> None:
    model = build_family(torch.float32)
    ignore_mask(attention(model))

    def fail_in_a_batch(_mlp: nn.Module, args: tuple[torch.Tensor]) -> None:
        if len(args[0]) > 1:
            raise ValueError("no batches")

    mlp(model).register_forward_pre_hook(fail_in_a_batch)
    before = num_hooks(model)
    with pytest.raises(ValueError, match="no batches"):
        place_in(model)
    assert num_hooks(model) == before


# File, line and words


def test_a_forward_that_accelerate_wraps_is_that_of_the_class() -> None:
    model = build_family(torch.float32)
    ignore_mask(attention(model))
    accelerate.hooks.add_hook_to_module(attention(model), accelerate.hooks.ModelHook())
    assert_is(place_in(model), model, attention(model))


def test_a_forward_that_somebody_put_on_one_module_is_that_function() -> None:
    model = build_family(torch.float32)
    own = mlp(model).forward

    def replaced(hidden: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = own(hidden)
        return output - output.mean(dim=1, keepdim=True)

    mlp(model).forward = replaced
    place = place_in(model)
    assert place is not None
    assert (place.class_name, place.file) == ("LlamaMLP", "tests/hf/place/test_place.py")
    assert place.line == replaced.__code__.co_firstlineno


def test_code_without_a_source_has_neither_file_nor_line() -> None:
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


def test_a_place_in_words() -> None:
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


def test_the_model_itself_in_words() -> None:
    model = build_family(torch.float32)

    def shift(_model: nn.Module, _args: Any, output: Any) -> Any:
        output.logits = output.logits - output.logits.mean(dim=0, keepdim=True)
        return output

    model.register_forward_hook(shift)
    place = place_in(model)
    assert_is(place, model, model)
    assert place is not None
    assert str(place) == f"LlamaForCausalLM (transformers/models/llama/modeling_llama.py:{place.line})"
