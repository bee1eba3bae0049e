"""One prompt after different numbers of pads, on real models of toy size."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from zoo.families import PAD, VOCAB_SIZE, build_family
from zoo.masks import blocks_of_slots, three_pads_at_most
from zoo.planting import planted

from padcheck.core.evidence import PadCountSweep
from padcheck.core.run_plans import SINGLE
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.generation import generate, neutral_generation_config
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.pad_counts import _sizes, sweep_pad_counts
from padcheck.hf.runs.runtime import AsLoaded

USUAL = (*range(1, 13), 15, 16, 31, 32, 33)
PROMPTS = {4: (9, 10, 11), 6: tuple(range(4, 11)), 7: (20, 21)}
LONGEST = 6


def sweep(model: PreTrainedModel, *, thorough: bool = False) -> PadCountSweep:
    settings = MeasureSettings(max_new_tokens=2, thorough=thorough)
    batch = Batch(PROMPTS, 7, PAD, VOCAB_SIZE, seed=0)
    with neutral_generation_config(model, PAD):
        single = {index: generate(model, rows, settings)[0] for rows in batch.alone() for index, _ in rows}
        return sweep_pad_counts(RunContext(AsLoaded(model, settings, PAD), batch, {SINGLE: single}))


def counts(swept: PadCountSweep) -> tuple[int, ...]:
    return tuple(count.num_pad_tokens for count in swept.counts)


def wrong(swept: PadCountSweep) -> tuple[int, ...]:
    return tuple(count.num_pad_tokens for count in swept.counts if count.step.max_abs_diff > 0.01)


def test_the_longest_prompt_runs_after_every_small_pad_count_and_around_some_large_ones() -> None:
    swept = sweep(build_family(torch.float32))
    assert (swept.prompt_index, swept.sizes, swept.error) == (LONGEST, {}, None)
    assert counts(swept) == USUAL
    assert max(count.step.max_abs_diff for count in swept.counts) < 1e-4
    assert {count.step.non_finite for count in swept.counts} == {0}


@pytest.mark.parametrize(
    ("model_type", "sizes", "added"),
    [
        ("mistral", {"sliding_window": 4}, ()),
        ("mistral", {"sliding_window": 50}, (49, 50, 51, 100)),
        ("gpt_neo", {"window_size": 24}, (23, 24, 25, 48)),
    ],
)
def test_the_models_own_sizes_are_found_and_run_around(
    model_type: str, sizes: dict[str, int], added: tuple[int, ...]
) -> None:
    swept = sweep(build_family(torch.float32, model_type, **sizes))
    assert swept.sizes == sizes
    assert counts(swept) == tuple(sorted((*USUAL, *added)))
    assert wrong(swept) == ()


@pytest.mark.parametrize(
    ("model_type", "sizes"),
    [
        ("llama", {}),
        ("gpt2", {}),
        ("mamba", {}),
        ("mistral", {"sliding_window": 4096}),
        ("gemma2", {"sliding_window": 4096}),
        ("gpt_neo", {"window_size": 256}),
        ("mamba2", {"chunk_size": 256}),
        ("bamba", {"mamba_chunk_size": 256}),
        ("recurrent_gemma", {"attention_window_size": 2048}),
        ("reformer", {"local_attn_chunk_length": 64, "lsh_attn_chunk_length": 64}),
        ("llama4_text", {"attention_chunk_size": 8192}),
        ("gpt_oss", {"sliding_window": 128}),
    ],
)
def test_the_sizes_of_real_configs(model_type: str, sizes: dict[str, int]) -> None:
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    assert _sizes(AutoConfig.for_model(model_type)) == sizes


def test_the_sizes_of_a_model_with_a_text_config_are_those_of_the_text() -> None:
    if "gemma3" not in CONFIG_MAPPING_NAMES:
        pytest.skip("this version of transformers has no gemma3")
    config = AutoConfig.for_model("gemma3", text_config={"sliding_window": 77}, vision_config={"window_size": 5})
    assert _sizes(config) == {"sliding_window": 77}


@pytest.mark.parametrize("size", [None, 0, 1, True, 4.0, "4"])
def test_a_value_that_is_not_a_size_is_ignored(size: Any) -> None:
    config = AutoConfig.for_model("llama")
    config.some_chunk_size = size
    assert _sizes(config) == {}


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_the_table_of_positions_limits_the_pads(model_type: str) -> None:
    limit = {"gpt2": "n_positions"}.get(model_type, "max_position_embeddings")
    swept = sweep(build_family(torch.float32, model_type, **{limit: 24}))
    assert swept.error is None
    assert counts(swept) == tuple(number for number in USUAL if number <= 24 - len(PROMPTS[LONGEST]) - 1)


def test_thorough_runs_larger_pad_counts() -> None:
    model = build_family(torch.float32, "mistral", sliding_window=600, max_position_embeddings=1024)
    assert counts(sweep(model)) == USUAL
    swept = sweep(model, thorough=True)
    assert counts(swept) == (*USUAL, 599, 600, 601)
    assert wrong(swept) == ()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (three_pads_at_most, tuple(number for number in USUAL if number > 3)),
        # Blocks of 4: the prompt's 7 tokens leave room for one pad in the two blocks that its last one sees.
        (blocks_of_slots, tuple(number for number in USUAL if number % 4 > 1)),
    ],
)
def test_the_counts_that_a_fault_reaches_are_wrong(fault: Any, expected: tuple[int, ...]) -> None:
    assert wrong(sweep(planted(fault)(torch.float32))) == expected


def test_a_model_that_raises_keeps_its_error_and_what_ran_before() -> None:
    def refuse(_model: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].shape[1] > 20:
            raise ValueError("no more than 20 columns")

    model = build_family(torch.float32)
    handle = model.register_forward_pre_hook(refuse, with_kwargs=True)
    swept = sweep(model)
    handle.remove()
    assert swept.error == "ValueError: no more than 20 columns"
    assert counts(swept) == tuple(number for number in USUAL if number + len(PROMPTS[LONGEST]) <= 20)
    assert (swept.prompt_index, swept.sizes) == (LONGEST, {})
