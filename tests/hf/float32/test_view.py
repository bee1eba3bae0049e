"""With float32 weights a 16-bit model gives the logits of a float32 copy, and afterwards it is as it was."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from model_folders import Builder, tokenizer_json
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.llama.modeling_llama import LlamaForCausalLM
from zoo.families import FAMILIES, build_family

from padcheck.hf.float32.view import Float32View, in_float32
from padcheck.hf.library.devices import input_device
from padcheck.hf.library.exceptions import NotOpenError
from padcheck.hf.library.versions import DTYPE_ARGUMENT
from padcheck.hf.toys.architectures import default_config, number_prompts, number_tokenizer
from padcheck.hf.toys.tiny_model import build_tiny_model

FolderOf = Callable[[Builder], Path]

IDS = torch.tensor([[4, 5, 6, 7], [8, 9, 10, 11]])
every_half = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
CASTS_OUTSIDE = ("mamba", "mamba2", "zaya")
"""They cast to the dtype of a weight before they call the module that owns it."""
TOYS = (
    *("bart", "bert", "codegen", "cohere", "ctrl", "deepseek_v3", "gemma", "gemma2", "gemma3_text", "glm4", "gpt_oss"),
    *("jamba", "nemotron", "olmo2", "phi3", "prophetnet", "qwen3_moe", "rwkv", "starcoder2", "zamba2", *CASTS_OUTSIDE),
)


def logits_of(model: nn.Module, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits  # (batch, seq_len, vocab_size)


def in_copy(model: PreTrainedModel, ids: torch.Tensor = IDS) -> torch.Tensor:
    return logits_of(copy.deepcopy(model).float(), ids)


def assert_equal(logits: torch.Tensor, expected: torch.Tensor) -> None:
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected, rtol=0.0, atol=1e-5 * float(expected.abs().max()))


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Checks that each module holds the same objects in the same order afterwards, and that no weight has changed."""

    def held() -> list[dict[str, Any]]:
        return [
            {**vars(module), **{key: list(vars(module)[key].items()) for key in ("_parameters", "_buffers")}}
            for module in model.modules()
        ]

    before = held()
    weights = [(tensor, tensor.clone()) for tensor in (*model.parameters(), *model.buffers())]
    yield
    for now, then in zip(held(), before, strict=True):
        assert now.keys() == then.keys()
        for key, value in then.items():
            if key in {"_parameters", "_buffers"}:
                assert [(name, id(each)) for name, each in now[key]] == [(name, id(each)) for name, each in value]
            else:
                assert now[key] is value
    for tensor, value in weights:
        assert tensor.dtype == value.dtype
        assert torch.equal(tensor, value)


@every_half
@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_those_of_a_float32_copy(family: str, dtype: torch.dtype) -> None:
    model = FAMILIES[family](dtype)
    expected = in_copy(model)
    with left_as_it_was(model), Float32View(model).opened():
        assert_equal(logits_of(model), expected)


@pytest.mark.parametrize("model_type", TOYS)
def test_the_logits_of_each_step_of_generate_are_those_of_a_float32_copy(model_type: str) -> None:
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    config = default_config(model_type)
    model = build_tiny_model(config, dtype=torch.bfloat16)
    prompts = number_tokenizer(config)(list(number_prompts(config)), return_tensors="pt", padding=True)
    inputs = {key: prompts[key] for key in ("input_ids", "attention_mask")}

    def generated(model: PreTrainedModel) -> Any:
        with torch.inference_mode():
            return model.generate(
                **inputs, max_new_tokens=4, do_sample=False, return_dict_in_generate=True, output_logits=True
            )

    expected = generated(copy.deepcopy(model).float())
    with Float32View(model).opened():
        output = generated(model)
    assert torch.equal(output.sequences, expected.sequences)
    assert_equal(torch.stack(output.logits), torch.stack(expected.logits))


def test_the_dtype_of_caches_and_masks_is_float32() -> None:
    model = build_family(torch.bfloat16)
    with left_as_it_was(model), in_float32(model):
        assert model.dtype == model.model.dtype == torch.float32
        assert model.device == torch.device("cpu")
    assert model.dtype == torch.bfloat16


@pytest.mark.parametrize("model_type", CASTS_OUTSIDE)
def test_a_cast_to_16_bit_outside_of_layers_is_noticed(model_type: str) -> None:
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    view = Float32View(build_tiny_model(default_config(model_type), dtype=torch.bfloat16))
    with view.opened():
        pass
    assert view._at_once == "outside"


@pytest.mark.parametrize("at_once", ["part", "outside", "whole"])
def test_weights_come_back_after_an_error(at_once: str) -> None:
    model = build_family(torch.bfloat16)

    def fails(*_: object) -> None:
        raise ValueError("from a hook")

    inner, layer = model.model.layers[1].mlp.down_proj, model.model.layers[0]
    for module in (inner, layer, model.lm_head):
        handle = module.register_forward_hook(fails)
        with pytest.raises(ValueError, match="from a hook"), left_as_it_was(model), in_float32(model, at_once=at_once):
            logits_of(model)
        handle.remove()
    with pytest.raises(IndexError), left_as_it_was(model), in_float32(model, at_once=at_once):
        logits_of(model, IDS + 10_000)


def test_weights_come_back_after_ctrl_c_and_within_the_context() -> None:
    model = build_family(torch.bfloat16)
    expected = in_copy(model)

    def interrupts(*_: object) -> None:
        raise KeyboardInterrupt

    with left_as_it_was(model), in_float32(model):
        handle = model.model.layers[1].mlp.register_forward_pre_hook(interrupts)
        with pytest.raises(KeyboardInterrupt):
            logits_of(model)
        handle.remove()
        assert model.model.layers[1].mlp.down_proj.weight.dtype == torch.bfloat16
        assert_equal(logits_of(model), expected)


def test_running_out_of_memory_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_family(torch.bfloat16)

    def starved(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("padcheck.hf.float32.raising.Raiser._buffer", starved)
    with left_as_it_was(model), pytest.raises(torch.OutOfMemoryError), Float32View(model).opened():
        pass


def test_a_forward_that_was_set_on_the_instance_is_wrapped_and_restored() -> None:
    model = build_family(torch.bfloat16)
    layer, calls = model.model.layers[0], []
    original = layer.forward
    layer.forward = lambda *args, **kwargs: calls.append(layer.mlp.up_proj.weight.dtype) or original(*args, **kwargs)
    with left_as_it_was(model), in_float32(model):
        logits_of(model)
    assert calls == [torch.float32]


def raised_bytes(model: nn.Module, run: Callable[[], object]) -> list[int]:
    """The bytes of float32 weights, at each call of any module."""
    seen: list[int] = []

    def count(*_: object) -> None:
        storages = {tensor.untyped_storage().data_ptr(): tensor for tensor in model.parameters() if tensor.numel()}
        seen.append(sum(t.untyped_storage().nbytes() for t in storages.values() if t.dtype == torch.float32))

    handles = [module.register_forward_pre_hook(count) for module in model.modules()]
    run()
    for handle in handles:
        handle.remove()
    return seen


def test_one_layer_is_raised_at_a_time() -> None:
    model = build_family(torch.bfloat16, num_layers=6, hidden_size=64, intermediate_size=256)
    layer = sum(4 * weight.numel() for weight in model.model.layers[0].parameters())
    with in_float32(model):
        seen = raised_bytes(model, lambda: logits_of(model))
    assert max(seen) == layer


def test_neither_the_embedding_nor_the_head_is_raised_as_a_whole() -> None:
    model = build_family(torch.bfloat16, tie_word_embeddings=False)
    expected = in_copy(model)
    largest: list[int] = []

    def note(module: nn.Module, _: object) -> None:
        largest.append(module.weight.dtype.itemsize)

    for module in (model.model.embed_tokens, model.lm_head):
        module.register_forward_pre_hook(note)
    with in_float32(model), pytest.MonkeyPatch.context() as patch:
        patch.setattr("padcheck.hf.float32.parts._SLICE", 3 * 32)  # three rows: the last slice has one
        assert_equal(logits_of(model), expected)
    assert largest == [2, 2]


def test_tied_weights_stay_tied() -> None:
    model = build_family(torch.bfloat16, tie_word_embeddings=True)
    mlp = model.model.layers[0].mlp
    mlp.up_proj.weight = mlp.gate_proj.weight
    expected, tied = in_copy(model), []
    mlp.register_forward_pre_hook(lambda *_: tied.append(mlp.up_proj.weight is mlp.gate_proj.weight))
    with left_as_it_was(model), in_float32(model):
        assert_equal(logits_of(model), expected)
    assert tied == [True]


def test_layers_may_share_weights_and_modules() -> None:
    model = build_family(torch.bfloat16, num_layers=4)
    first, second, third, _ = model.model.layers
    second.mlp.up_proj.weight = first.mlp.up_proj.weight
    third.mlp = first.mlp
    model.model.layers[3] = first
    expected = in_copy(model)
    with left_as_it_was(model), in_float32(model):
        assert_equal(logits_of(model), expected)


class Swapping(nn.Module):
    """Swaps its weights and sets a new buffer at each call."""

    def __init__(self, mlp: nn.Module) -> None:
        super().__init__()
        self.mlp = mlp
        self.register_buffer("calls", torch.zeros(1, dtype=torch.bfloat16))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        self.mlp.up_proj.weight, self.mlp.gate_proj.weight = self.mlp.gate_proj.weight, self.mlp.up_proj.weight
        self.calls = torch.ones_like(self.calls)
        return self.mlp(states)


def test_changes_that_the_model_makes_to_its_weights_stay() -> None:
    model = build_family(torch.bfloat16)
    mlp = model.model.layers[0].mlp = Swapping(model.model.layers[0].mlp)
    up, gate = mlp.mlp.up_proj.weight, mlp.mlp.gate_proj.weight
    expected = in_copy(model)
    with in_float32(model):
        assert_equal(logits_of(model), expected)
    assert mlp.mlp.up_proj.weight is gate
    assert mlp.mlp.gate_proj.weight is up
    assert up.dtype == gate.dtype == torch.bfloat16
    assert torch.equal(mlp.calls, torch.ones(1))


class Table(nn.Module):
    """Returns a part of its buffer, which is large enough to be raised in shared memory."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.linspace(-1, 1, 4096 * 32).view(4096, 32).to(torch.bfloat16))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.rows[: states.shape[1]]


class WithTable(LlamaForCausalLM):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.first, self.second = Table(), Table()
        self.second.rows.neg_()

    def forward(self, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        first = self.first(input_ids)  # (seq_len, hidden_size)
        second = self.second(input_ids)  # the memory of the first must not have been used again
        states = self.model.embed_tokens(input_ids) + 3 * first + second
        return super().forward(inputs_embeds=states, **kwargs)


def test_a_module_may_return_a_part_of_its_buffer() -> None:
    model = build_family(torch.bfloat16, of=WithTable)
    expected = in_copy(model)
    with left_as_it_was(model), in_float32(model):
        for _ in range(2):
            assert_equal(logits_of(model), expected)


class ReadsALayer(LlamaForCausalLM):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output = super().forward(*args, **kwargs)
        output.logits = output.logits @ self.model.layers[0].mlp.down_proj.weight.new_ones(64, 64)
        return output


def test_all_weights_are_raised_if_a_layer_is_read_from_outside() -> None:
    model = build_family(torch.bfloat16, of=ReadsALayer)
    expected = in_copy(model)
    view = Float32View(model)
    with left_as_it_was(model), view.opened():
        assert_equal(logits_of(model), expected)
    assert view._at_once == "whole"


def test_the_probe_runs_once() -> None:
    model = build_family(torch.bfloat16)
    view, calls = Float32View(model), []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    with view.opened():
        number = len(calls)
    with view.opened():
        assert len(calls) == number > 0


def test_all_weights_take_no_more_than_most_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_family(torch.bfloat16, of=ReadsALayer)
    monkeypatch.setattr("padcheck.hf.float32.view.free_memory", lambda _device: 1000)
    view = Float32View(model)
    for _ in range(2):
        refused = pytest.raises(
            NotOpenError, match=r"layer by layer: .*; as a whole: 0\.0 GiB are needed, and 0\.0 GiB"
        )
        with refused, left_as_it_was(model), view.opened():
            pass


def test_unknown_free_memory_does_not_prevent_the_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("padcheck.hf.float32.view.free_memory", lambda _device: None)
    model = build_family(torch.bfloat16)
    expected = in_copy(model)
    with in_float32(model, at_once="whole"):
        assert_equal(logits_of(model), expected)


def quantized(model: PreTrainedModel) -> None:
    model.is_quantized = True


def compiled(model: PreTrainedModel) -> None:
    model.model.layers[0].compile()


@pytest.mark.parametrize(
    ("dtype", "change", "reason"),
    [
        (torch.float32, lambda _: None, "the model is not in 16 bit"),
        (torch.float64, lambda _: None, "the model is not in 16 bit"),
        (torch.bfloat16, quantized, "the model is quantized"),
        (torch.bfloat16, compiled, "the model is compiled"),
    ],
    ids=["float32", "float64", "quantized", "compiled"],
)
def test_a_model_that_cannot_be_raised_is_refused(dtype: torch.dtype, change: Callable[..., None], reason: str) -> None:
    model = build_family(dtype)
    change(model)
    with left_as_it_was(model), pytest.raises(NotOpenError, match=f"^{reason}$"), Float32View(model).opened():
        pass


def test_weights_of_a_gguf_file_are_no_longer_quantized() -> None:
    model = build_family(torch.bfloat16)
    model.is_quantized, model.quantization_method = True, "gguf"
    with in_float32(model):
        assert logits_of(model).dtype == torch.float32


@pytest.mark.parametrize("inference", [True, False])
def test_the_context_may_be_opened_within_and_outside_of_inference_mode(inference: bool) -> None:
    model = build_family(torch.bfloat16)
    expected = in_copy(model)
    with torch.inference_mode() if inference else nullcontext(), in_float32(model):
        assert_equal(logits_of(model), expected)
        with torch.no_grad():
            assert_equal(model(IDS).logits, expected)


IN_MEMORY = dict.fromkeys(
    ("model.embed_tokens", "model.rotary_emb", "model.layers.0", "model.layers.1", "model.norm", "lm_head"), "cpu"
)


@pytest.mark.parametrize(
    "places",
    [{"": "cpu"}, IN_MEMORY | {"model.layers.1": "disk"}, IN_MEMORY | {"model.embed_tokens": "disk"}, {"": "disk"}],
    ids=["all on the CPU", "a layer on disk", "the embedding on disk", "everything on disk"],
)
def test_weights_that_are_fetched_for_each_call(places: dict[str, str], folder_of: FolderOf, tmp_path: Path) -> None:
    def load(**settings: object) -> PreTrainedModel:
        return AutoModelForCausalLM.from_pretrained(
            folder_of(tokenizer_json), **{DTYPE_ARGUMENT: torch.bfloat16}, **settings
        ).eval()

    expected = in_copy(load())
    model = load(device_map=places, offload_folder=tmp_path)
    with left_as_it_was_on_meta(model), Float32View(model).opened():
        assert_equal(logits_of(model, IDS.to(input_device(model))), expected)
    if "disk" in places.values():
        with pytest.raises(NotOpenError, match="fetched one module at a time"), in_float32(model, at_once="whole"):
            pass


@contextmanager
def left_as_it_was_on_meta(model: nn.Module) -> Iterator[None]:
    """Checks names, dtypes and devices only, since accelerate sets new tensors after each call."""

    def held() -> list[tuple[object, ...]]:
        functions = [(vars(each).get("forward"), vars(each).get("_old_forward")) for each in model.modules()]
        return [*functions, *((name, each.dtype, each.device) for name, each in model.named_parameters())]

    before = held()
    yield
    assert held() == before
