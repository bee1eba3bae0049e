"""Packed rows: attention that reads position_ids keeps prompts apart, states and convolutions do not."""

import importlib

import pytest
from transformers import PreTrainedModel
from zoo import compare

from padcheck.core.report import Report
from padcheck.core.run_plans import RUN_PLANS
from padcheck.hf.calls import forwards
from padcheck.hf.library.auto_classes import causal_model_types
from padcheck.hf.library.versions import MASKS_PACKED_PROMPTS
from padcheck.hf.toys.architectures import default_config
from padcheck.hf.toys.tiny_model import build_tiny_model

PROMPTS = ((11, 12, 13, 14), (21, 22, 23, 24, 25, 26, 27, 28, 29), (31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41))
"""The first two are the pair that a probe takes. The second one is longer than the window of a toy."""

if_masked = pytest.mark.skipif(not MASKS_PACKED_PROMPTS, reason="this transformers packs only with flash attention")


def toy(model_type: str) -> PreTrainedModel:
    if model_type not in causal_model_types():
        pytest.skip(f"this transformers has no {model_type}")
    return build_tiny_model(default_config(model_type))


def packed(model: PreTrainedModel, **settings: object) -> Report:
    return compare(model, PROMPTS, task="train", **settings)


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


@if_masked
@pytest.mark.parametrize("model_type", ["llama", "gpt2", "gemma2", "mixtral"])
def test_attention_keeps_prompts_apart(model_type: str) -> None:
    found = packed(toy(model_type))
    assert found.comparisons["packed"].verdict.within_rounding
    assert {row.prompt_index for row in found.comparisons["packed"].rows} == {0, 1}
    assert "PAD406" not in codes(found)


@if_masked
@pytest.mark.parametrize("model_type", ["mamba", "lfm2", "jamba", "bloom", "opt", "roberta"])
def test_states_convolutions_and_masks_of_their_own_leak(model_type: str) -> None:
    found = packed(toy(model_type))
    [finding] = [finding for finding in found.findings if finding.code == "PAD406"]
    *others, _longest = (row.prompt_index for row in found.comparisons["packed"].rows)
    assert finding.evidence["prompts"] == others, "the longest prompt is the first in the row, and right"
    assert finding.evidence["max_abs_diff"] > 0.1


@if_masked
def test_a_mask_that_forgets_where_prompts_begin_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    masking = importlib.import_module("transformers.masking_utils")
    monkeypatch.setattr(masking, "find_packed_sequence_indices", lambda position_ids: None)
    assert codes(packed(toy("llama"))) >= {"PAD406"}


@if_masked
def test_positions_that_continue_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask keeps the prompts apart, and the model looks up the positions of the row."""
    model = toy("gpt2")
    table = model.transformer.wpe
    table.register_forward_pre_hook(lambda _table, ids: (ids[0].new_tensor(range(ids[0].shape[1]))[None],))
    assert "PAD406" in codes(packed(model))


@if_masked
def test_with_thorough_all_prompts_share_a_row() -> None:
    found = packed(toy("llama"), thorough=True)
    assert found.comparisons["packed"].verdict.within_rounding
    assert [row.prompt_index for row in found.comparisons["packed"].rows] == [0, 1, 2]


@pytest.mark.skipif(MASKS_PACKED_PROMPTS, reason="this transformers packs with every attention")
@pytest.mark.parametrize("model_type", ["llama", "mamba"])
def test_without_support_there_is_no_verdict(model_type: str) -> None:
    found = packed(toy(model_type))
    assert "only with flash attention" in found.evidence.runs["packed"].error
    assert "PAD406" not in codes(found)
    assert "PAD406" in {rule.code for rule in found.skipped}


@pytest.mark.parametrize("task", [None, "generate", "score"])
def test_for_another_task_it_costs_nothing(task: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwards, "packed", lambda *_args: pytest.fail("it ran"))
    found = compare(toy("mamba"), PROMPTS, task=task, thorough=True)
    assert not {name for name, plan in RUN_PLANS.items() if plan.for_training} & found.evidence.runs.keys()
