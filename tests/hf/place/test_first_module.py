"""The module in which a fault begins: planted in one module, in the positions that are passed, and nowhere."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from places import BATCH, MANY_PADS, SETTINGS, assert_place_is, attention, ignore_mask, mlp, place_in
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedModel
from zoo import masks, positions
from zoo.families import FAMILIES, build_family
from zoo.planting import Arguments, plant

from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.forwards import forward
from padcheck.hf.place.first_module import find_place
from padcheck.hf.place.watching import Watched
from padcheck.hf.runs.noise import rounding_errors

# Faults planted in one module


def take_mean_over(*dims: int) -> Callable[[nn.Module], None]:
    """The mean over these dimensions is subtracted from the module's output."""

    def plant_in(module: nn.Module) -> None:
        def normalize(_module: nn.Module, _args: Any, output: Any) -> Any:
            if isinstance(output, tuple):  # a mixture of experts that also returns the scores of its router
                return normalize(_module, _args, output[0]), *output[1:]
            return output - output.mean(dim=dims, keepdim=True)

        module.register_forward_hook(normalize)

    return plant_in


take_mean_over_slots, take_mean_over_batch = take_mean_over(1), take_mean_over(0, 1)


def number_by_slot(module: nn.Module) -> None:
    """A position table is looked up by slot."""

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
    assert_place_is(place_in(model), model, attention(model))


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mixtral", "gemma2"])
@pytest.mark.parametrize("fault", [take_mean_over_slots, take_mean_over_batch], ids=["slots", "batch"])
def test_an_mlp_that_normalizes_over_several_tokens(fault: Callable[[nn.Module], None], model_type: str) -> None:
    model = build_family(torch.float32, model_type)
    fault(mlp(model))
    assert_place_is(place_in(model), model, mlp(model))


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mamba"])
def test_embeddings_that_are_normalized_over_all_slots(model_type: str) -> None:
    model = build_family(torch.float32, model_type)
    take_mean_over_slots(model.get_input_embeddings())
    place = place_in(model)
    assert_place_is(place, model, model.get_input_embeddings())
    assert place is not None
    assert place.file == "torch/nn/modules/sparse.py"


def test_a_position_table_that_is_looked_up_by_slot() -> None:
    model = build_family(torch.float32, "gpt2")
    number_by_slot(model.transformer.wpe)
    assert_place_is(place_in(model), model, model.transformer.wpe)


def test_a_rotary_embedding_that_changes_positions() -> None:
    model = build_family(torch.float32)
    stretch_by_pads(model.model.rotary_emb)
    assert_place_is(place_in(model), model, model.model.rotary_emb)


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
    assert_place_is(place, model, attention(model))
    assert place is not None
    assert place.step == 2


def test_without_a_cache_all_columns_of_a_later_step_are_compared() -> None:
    model = build_family(torch.float32)

    def break_late(_attention: nn.Module, _args: Any, kwargs: Arguments, output: Any) -> Any:
        is_second = kwargs["hidden_states"].shape[1] == BATCH.width + 1
        return (output[0] + 1.0, *output[1:]) if is_second else output

    attention(model).register_forward_hook(break_late, with_kwargs=True)
    assert place_in(model, step=0, with_cache=False) is None
    assert_place_is(place_in(model, step=1, with_cache=False), model, attention(model))


def test_one_forward_of_a_right_padded_batch() -> None:
    model = build_family(torch.float32)
    take_mean_over_slots(mlp(model))

    def watched(rows: Rows, row: int) -> Watched:
        return Watched(partial(forward, model, rows, SETTINGS), call=0, row=row, mask=rows[row][1].attention_mask)

    alone, padded = watched(BATCH.alone()[MANY_PADS], 0), watched(BATCH.padded("right"), MANY_PADS)
    place = find_place(model, alone, padded, partial(rounding_errors, model), prompt_index=MANY_PADS)
    assert_place_is(place, model, mlp(model))


def test_layers_that_share_their_weights() -> None:
    model = build_family(torch.float32)
    model.model.layers[1] = model.model.layers[0]
    ignore_mask(attention(model))
    assert_place_is(place_in(model, with_cache=False), model, attention(model))


# Positions that generate() passes


class PassesSlots(LlamaForCausalLM):
    """Passes slots as positions, as `positions.PassesSlots` does, to a rotary model, which a shift does not harm."""

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


def test_rotary_positions_that_shift_at_the_second_step() -> None:
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
    assert_place_is(place_in(model, step=step), model, attention(model))


# No place


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_clean_model_has_no_place(model_type: str, step: int) -> None:
    assert place_in(FAMILIES[model_type](torch.float32), step=step) is None


def test_different_tokens_have_no_place() -> None:
    model = plant(build_family(torch.float32), masks.ignored)
    assert place_in(model, step=3) is None


def test_a_call_that_never_happens_has_no_place() -> None:
    model = plant(build_family(torch.float32), masks.ignored)
    run = Watched(lambda: None, call=0, row=0, mask=(1, 1))
    assert find_place(model, run, run, partial(rounding_errors, model), prompt_index=0) is None


# Hooks


def num_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_hooks_are_removed() -> None:
    model = plant(build_family(torch.float32), masks.ignored)
    before = num_hooks(model)
    assert place_in(model) is not None
    assert num_hooks(model) == before


def test_hooks_are_removed_after_an_error() -> None:
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
