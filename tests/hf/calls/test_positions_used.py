"""The positions that a model uses in tables and rotary modules are recorded, and the model is left as it was."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from zoo import compare
from zoo.families import build_family
from zoo.planting import planted
from zoo.positions import by_slot

from padcheck.core.padding import pad_ids
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.forwards import forward, replay
from padcheck.hf.calls.generation import generate, neutral_generation_config
from padcheck.hf.calls.positions_used import positions_by_column, used_positions
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.toys.architectures import default_config
from padcheck.hf.toys.tiny_model import build_tiny_model

PAD = 63
SETTINGS = MeasureSettings(max_new_tokens=4)
LONG, SHORT = tuple(range(10, 17)), (9, 10, 11)
NUM_PADS = len(LONG) - len(SHORT)


def _small(model_type: str, **sizes: int) -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type, vocab_size=64, is_decoder=True, pad_token_id=0, eos_token_id=None, **sizes
    )
    return AutoModelForCausalLM.from_config(config).eval()


_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_DECODER = {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}
_FAMILIES: dict[str, Callable[[], PreTrainedModel]] = {
    **{
        name: partial(build_family, torch.float32, name)
        for name in ("gpt2", "opt", "bloom", "mamba", "llama", "gemma2", "gptj")
    },
    "biogpt": partial(_small, "biogpt", **_SIZES),
    "xglm": partial(_small, "xglm", d_model=32, num_layers=2, attention_heads=4, ffn_dim=64),
    "roformer": partial(_small, "roformer", **_SIZES),
    "bart": partial(_small, "bart", **_DECODER),
    "whisper": partial(_small, "whisper", decoder_start_token_id=1, **_DECODER),
    "slots": partial(planted(by_slot, "gpt2"), torch.float32),
}
FROM_THE_MASK = {
    "gpt2": (0, "table"),
    "opt": (2, "table"),
    "biogpt": (2, "table"),
    "xglm": (2, "table"),
    "llama": (0, "rotary"),
    "gemma2": (0, "rotary"),
}
"""The position of the first token, and what uses it."""

FROM_SLOTS = {"slots": (0, "table"), "bart": (2, "table"), "whisper": (0, "table"), "roformer": (0, "rotary")}


def _rows(side: str) -> Rows:
    return [(index, pad_ids(ids, len(LONG), PAD, side)) for index, ids in enumerate((LONG, SHORT))]


def _generated(model: PreTrainedModel, rows: Rows) -> RowTrace:
    """The trace of the last row."""
    with neutral_generation_config(model, PAD):
        return generate(model, rows, SETTINGS)[-1]


def _counted(start: int, number: int) -> tuple[int, ...]:
    return tuple(range(start, start + number))


@pytest.mark.parametrize("family", FROM_THE_MASK)
def test_a_model_that_counts_by_the_mask_uses_the_same_positions_alone_and_after_pads(family: str) -> None:
    model, (start, by) = _FAMILIES[family](), FROM_THE_MASK[family]
    alone = _generated(model, [(0, pad_ids(SHORT, len(SHORT), PAD, "left"))])
    left = _generated(model, _rows("left"))
    entered = len(SHORT) + SETTINGS.max_new_tokens - 1
    assert alone.positions_used == (*_counted(start, entered), None)
    assert left.positions_used[NUM_PADS:] == alone.positions_used
    assert len(left.positions_used) == len(LONG) + SETTINGS.max_new_tokens
    assert alone.positions_used_by == left.positions_used_by == by


@pytest.mark.parametrize("family", FROM_THE_MASK)
def test_with_pads_on_the_right_new_tokens_use_the_positions_that_forward_received(family: str) -> None:
    model, (start, _) = _FAMILIES[family](), FROM_THE_MASK[family]
    right = _generated(model, _rows("right"))
    assert right.positions_used[: len(SHORT)] == _counted(start, len(SHORT))
    first = right.position_ids[0]
    if first is not None:
        new = zip(right.positions_used[len(LONG) : -1], right.position_ids[len(LONG) : -1], strict=True)
        assert {used - received for used, received in new} == {start - first}


@pytest.mark.parametrize("family", FROM_SLOTS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_model_that_counts_slots_uses_slots_as_positions(family: str, side: str) -> None:
    model, (start, by) = _FAMILIES[family](), FROM_SLOTS[family]
    padded = _generated(model, _rows(side))
    assert padded.positions_used == (*_counted(start, len(LONG) + SETTINGS.max_new_tokens - 1), None)
    assert padded.positions_used_by == by


@pytest.mark.parametrize("family", ["bloom", "mamba", "gptj"])
def test_positions_are_unknown_if_no_module_looks_them_up(family: str) -> None:
    left = _generated(_FAMILIES[family](), _rows("left"))
    assert set(left.positions_used) == {None}
    assert left.positions_used_by is None


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_one_forward_and_a_replay_are_recorded(family: str) -> None:
    model = _FAMILIES[family]()
    slots = (*_counted(0, len(LONG)), None)
    given = forward(model, _rows("left"), SETTINGS, positions=lambda mask: tuple(range(5, 5 + len(mask))))[1]
    assert forward(model, _rows("left"), SETTINGS)[1].positions_used == slots
    assert given.positions_used == given.position_ids == (*_counted(5, len(LONG)), None)
    assert replay(model, SHORT, (1, 2)).positions_used == (0, 1, 2, 3, None)


def test_without_a_cache_a_column_keeps_its_first_position() -> None:
    model = _FAMILIES["gpt2"]()
    with neutral_generation_config(model, PAD):
        cached, uncached = (generate(model, _rows("left"), SETTINGS, with_cache=flag)[1] for flag in (True, False))
    assert cached.positions_used == uncached.positions_used


@pytest.mark.skipif(transformers.__version__ < "5", reason="the default config of Qwen2-VL has no text part here")
def test_multimodal_rotary_positions_are_read_from_the_first_section() -> None:
    model = build_tiny_model(default_config("qwen2_vl"))
    given = []
    model.model.language_model.rotary_emb.register_forward_pre_hook(
        lambda _module, args, kwargs: given.append(kwargs.get("position_ids", args[-1]).dim()), with_kwargs=True
    )
    left = _generated(model, _rows("left"))
    assert set(given) == {3}
    assert left.positions_used[NUM_PADS:] == (*_counted(0, len(SHORT) + SETTINGS.max_new_tokens - 1), None)
    assert left.positions_used_by == "rotary"


def test_positions_are_unknown_if_a_table_is_looked_up_row_by_row() -> None:
    class PositionEmbedding(nn.Module):
        def __init__(self, table: nn.Embedding) -> None:
            super().__init__()
            self.weight = table.weight

        def forward(self, position_ids: torch.Tensor) -> torch.Tensor:
            return torch.stack([torch.index_select(self.weight, 0, row) for row in position_ids])

    model = _FAMILIES["gpt2"]()
    model.transformer.wpe = PositionEmbedding(model.transformer.wpe)
    with used_positions(model) as calls, torch.inference_mode():
        model(torch.tensor([LONG, LONG]), position_ids=torch.arange(len(LONG)).expand(2, -1))
    assert positions_by_column(model, calls, 0, len(LONG), len(LONG)) == ((None,) * len(LONG), None)


def test_recorded_positions_are_a_copy() -> None:
    model = _FAMILIES["gpt2"]()
    position_ids = torch.arange(len(LONG))[None]
    with used_positions(model) as calls, torch.inference_mode():
        model(torch.tensor([LONG]), position_ids=position_ids)
        position_ids += 1
    assert calls[0].positions.tolist() == [list(range(len(LONG)))]


def _hooks_and_attributes(model: PreTrainedModel) -> list[object]:
    """For every module: its name, its numbers of hooks, and the names of its attributes."""
    return [
        (name, len(module._forward_pre_hooks), len(module._forward_hooks), sorted(vars(module)))
        for name, module in model.named_modules()
    ]


@pytest.mark.parametrize("family", ["gpt2", "opt", "xglm", "llama"])
@pytest.mark.parametrize("raises", [False, True], ids=["ends", "raises"])
def test_hooks_and_wrappers_are_removed(family: str, raises: bool) -> None:
    model = _FAMILIES[family]()
    before = _hooks_and_attributes(model)
    ids = torch.tensor([[999 if raises else 1]])
    try:
        with used_positions(model), torch.inference_mode():
            assert _hooks_and_attributes(model) != before
            model(ids)
    except IndexError:
        assert raises
    assert _hooks_and_attributes(model) == before


def test_hooks_and_wrappers_are_removed_after_an_error_inside_the_table() -> None:
    model = _FAMILIES["gpt2"]()
    before = _hooks_and_attributes(model)
    with pytest.raises(IndexError), used_positions(model) as calls:
        model(torch.tensor([[1, 2]]), position_ids=torch.tensor([[0, 999]]))
    assert _hooks_and_attributes(model) == before
    assert torch._C._len_torch_function_stack() == 0
    assert calls[0].positions is None


def test_a_forward_that_was_set_before_is_restored() -> None:
    model = _FAMILIES["gpt2"]()
    table, calls = model.transformer.wpe, []
    original = table.forward

    def moving_weights(position_ids: torch.Tensor) -> torch.Tensor:
        calls.append(position_ids)
        return original(position_ids)

    table.forward = moving_weights
    assert _generated(model, _rows("left")).positions_used_by == "table"
    assert calls
    assert table.forward is moving_weights


@pytest.mark.parametrize("thorough", [False, True])
def test_every_row_of_a_report_has_one_entry_per_column(thorough: bool) -> None:
    evidence = compare(_FAMILIES["opt"](), thorough=thorough).evidence
    for name, run in evidence.runs.items():
        for row in run.rows:
            if name == "right_continued":
                assert (row.positions_used, row.positions_used_by) == ((), None)
            else:
                assert (len(row.positions_used), row.positions_used_by) == (len(row.input_ids), "table")
                assert row.positions_used[-1] is None


def test_the_report_of_a_model_without_positions_has_no_positions() -> None:
    evidence = compare(_FAMILIES["bloom"]()).evidence
    found = {(row.positions_used, row.positions_used_by) for run in evidence.runs.values() for row in run.rows}
    assert found == {((), None)}
