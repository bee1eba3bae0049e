"""Which runs a batch needs: in doubt, without float32, with NaN on one side, and after errors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput
from zoo import compare
from zoo.comparing import UNAVAILABLE
from zoo.families import build_family
from zoo.masks import blocks_of_slots, ignored, one_pad_short, three_pads_at_most
from zoo.planting import DTYPES, Arguments, Call, Fault, plant, planted
from zoo.positions import by_slot

from padcheck.core.report import Report
from padcheck.core.verdicts import Verdict
from padcheck.reporters.report.wording import probes as probe_wording
from padcheck.reporters.report.wording import rounding

FLOAT32 = torch.float32
HALF = (torch.bfloat16, torch.float16)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_half = pytest.mark.parametrize("dtype", HALF, ids=str)


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


# A model in 16 bit


@every_half
@pytest.mark.parametrize("fault", [ignored, one_pad_short, blocks_of_slots])
def test_the_cause_of_a_fault_in_16_bit_is_that_of_float32(fault: Fault, dtype: torch.dtype) -> None:
    found, expected = compare(planted(fault)(dtype)), compare(planted(fault)(FLOAT32))
    causes = {code for code in codes(expected) if code.startswith("PAD3")}
    assert causes
    assert {code for code in codes(found) if code.startswith("PAD3")} == causes
    assert found.evidence.runs["scrambled"].dtype == "float32"
    place, other = found.evidence.places["left_float32"], expected.evidence.places["left"]
    assert (place.module, place.prompt_index, place.step) == (other.module, other.prompt_index, other.step)


def quantized(model: PreTrainedModel) -> PreTrainedModel:
    model.is_quantized = True
    return model


REASON = "the model is quantized"


@every_half
@pytest.mark.parametrize("settings", [{}, {"thorough": True}, {"batch_size": 2}], ids=str)
def test_if_float32_is_not_possible_the_probes_run_in_16_bit_and_the_report_says_why(
    settings: dict[str, object], dtype: torch.dtype
) -> None:
    report = compare(quantized(build_family(dtype)), **settings)
    results = report.evidence.runs
    for name in ("left_float32", "single_float32"):
        assert (results[name].error, results[name].dtype, results[name].rows) == (REASON, "float32", ())
    assert {result.dtype for name, result in results.items() if not name.endswith("_float32")} == {None}
    assert {result.reference for result in results.values()} & {"single_float32"} == {"single_float32"}
    assert results["forward"].reference == "single"
    assert report.comparisons["left_float32"].verdict is Verdict.NOT_RUN
    assert report.status == "pass"
    assert report.evidence.precision == ()
    assert ("", f"no run in float32: {REASON}") in rounding.rows(report)
    assert probe_wording.title(report) == "Probes"


@every_half
def test_a_fault_is_found_although_float32_is_not_possible(dtype: torch.dtype) -> None:
    report = compare(quantized(planted(ignored)(dtype)))
    assert report.status == "fail"
    assert {"PAD201", "PAD304"} <= codes(report)
    assert report.evidence.left_out == ()
    assert report.evidence.runs["uncached"].dtype is None
    assert report.evidence.sweep is not None


def no_cache_in_float32(call: Call) -> Arguments:
    if call.base.dtype is FLOAT32 and call.past:
        raise ValueError("no cache in float32")
    return {}


def no_float32(call: Call) -> Arguments:
    if call.base.dtype is FLOAT32:
        raise ValueError("no float32")
    return {}


def no_room_in_float32(call: Call) -> Arguments:
    if call.base.dtype is FLOAT32 and len(call.input_ids) > 1:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    return {}


@pytest.mark.parametrize("settings", [{}, {"batch_size": 2}, {"thorough": True}], ids=str)
@pytest.mark.parametrize("wrong", [False, True], ids=["clean", "with a fault"])
@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        (no_cache_in_float32, "ValueError: no cache in float32"),
        (no_float32, "layer by layer: no float32; as a whole: no float32"),
        (no_room_in_float32, "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
)
def test_a_model_that_raises_in_float32_is_probed_in_16_bit(
    refuse: Fault, reason: str, wrong: bool, settings: dict[str, object]
) -> None:
    model = plant(build_family(torch.bfloat16), refuse)
    report = compare(plant(model, one_pad_short) if wrong else model, **settings)
    assert report.evidence.runs["left_float32"].error == reason
    assert {result.dtype for name, result in report.evidence.runs.items() if not name.endswith("_float32")} == {None}
    own = {name: result for name, result in report.evidence.runs.items() if not name.endswith("_float32")}
    assert {name for name, result in own.items() if result.error} <= UNAVAILABLE
    assert ("", f"no run in float32: {reason}") in rounding.rows(report)
    assert report.status == ("fail" if wrong else "pass")
    assert {"PAD201", "PAD301"} <= codes(report) or not wrong


def wrong_in_half(model: PreTrainedModel) -> PreTrainedModel:
    """The mask is ignored while the model calculates in 16 bit."""
    return plant(model, lambda call: ignored(call) if call.base.dtype in HALF else {})


@every_half
def test_a_fault_of_16_bit_alone_is_found_and_reported(dtype: torch.dtype) -> None:
    report = compare(wrong_in_half(build_family(dtype)))
    [finding] = [finding for finding in report.findings if finding.code == "PAD201"]
    assert f"only {str(dtype).removeprefix('torch.')} has this fault" in finding.message
    assert report.status == "fail"
    assert report.comparisons["left_float32"].verdict.within_rounding
    result = report.evidence.runs["left_other_attention"]
    assert result.dtype is None, "another attention implementation may help where the fault is"
    assert "left" in report.evidence.places


@every_half
def test_in_doubt_the_prompts_alone_go_through_generate_in_float32_too(dtype: torch.dtype) -> None:
    evidence = compare(planted(one_pad_short)(dtype)).evidence
    assert evidence.runs["single_float32"].stand_in is None
    assert [row.generated_ids for row in evidence.runs["single_float32"].rows] == [
        row.generated_ids for row in evidence.runs["left"].rows
    ]


# In doubt everything runs on all prompts


@every_dtype
def test_in_doubt_every_run_has_all_prompts(dtype: torch.dtype) -> None:
    evidence = compare(planted(one_pad_short)(dtype)).evidence
    prompts = list(range(len(evidence.prompts)))
    for name in evidence.runs.keys() - UNAVAILABLE:
        assert [row.prompt_index for row in evidence.runs[name].rows] == prompts, name
    for name in evidence.differences.keys() - UNAVAILABLE:
        assert [row.prompt_index for row in evidence.differences[name]] == prompts, name


def test_a_fault_at_some_pad_counts_is_found_although_no_prompt_has_them() -> None:
    """Pads 0 to 3 are hidden; the prompts have 2 at most."""
    report = compare(planted(three_pads_at_most)(FLOAT32), ((4, 5, 6, 7), (8, 9), (10, 11, 12)))
    assert report.comparisons["left"].verdict.within_rounding
    assert report.status == "fail"
    assert "PAD205" in codes(report)
    assert report.evidence.sweep is not None


BLOCKS_FIT = (tuple(range(4, 16)), tuple(range(20, 28)), tuple(range(30, 34)))
"""12, 8 and 4 tokens, so 0, 4 and 8 pads: whole blocks of 4."""


@every_dtype
def test_blocks_of_slots_are_found_although_the_pads_of_all_prompts_fill_whole_blocks(dtype: torch.dtype) -> None:
    report = compare(planted(blocks_of_slots)(dtype), BLOCKS_FIT)
    assert {row.num_pad_tokens for row in report.evidence.runs["left"].rows} == {0, 4, 8}
    assert report.comparisons["left"].verdict.within_rounding
    assert (report.status, report.exit_code) == ("fail", 1)
    [finding] = [finding for finding in report.findings if finding.code == "PAD305"]
    assert finding.evidence["period"] == 4


class OwnConfig(GPT2Config):
    """A config that does not say how positions are encoded."""

    model_type = "some_own_gpt"


def own_gpt(config: PretrainedConfig) -> PreTrainedModel:
    config.__class__ = OwnConfig
    return GPT2LMHeadModel(config)


@every_dtype
def test_an_own_model_that_ignores_position_ids_counts_pads_and_is_not_anchored_to_slots(dtype: torch.dtype) -> None:
    report = compare(plant(build_family(dtype, "gpt2", of=own_gpt), by_slot))
    assert report.evidence.model.position_encoding == "unknown"
    assert "PAD302" in codes(report)
    assert "PAD305" not in codes(report)
    [finding] = [finding for finding in report.findings if finding.code == "PAD302"]
    assert "looks up other rows of its position table with pads" in finding.message


# NaN on one side


def nan_behind(side: str) -> Callable[[PreTrainedModel], PreTrainedModel]:
    """The logits are NaN in a batch that is padded on this side."""

    def change(_model: object, args: tuple[Any, ...], kwargs: dict[str, Any], output: ModelOutput) -> None:
        mask = kwargs.get("attention_mask")
        if mask is not None and bool((mask[:, 0 if side == "left" else -1] == 0).any()):
            output.logits[:] = float("nan")

    def build(model: PreTrainedModel) -> PreTrainedModel:
        model.register_forward_hook(change, with_kwargs=True)
        return model

    return build


@every_dtype
def test_nan_with_left_padding_is_found_and_the_right_side_is_still_judged(dtype: torch.dtype) -> None:
    report = compare(nan_behind("left")(build_family(dtype)))
    assert report.comparisons["left"].verdict is Verdict.NON_FINITE
    assert report.comparisons["right_forward"].verdict.within_rounding
    assert report.status == "fail"
    assert "PAD204" in codes(report)
    assert {row.non_finite_logits for row in report.evidence.runs["single"].rows} == {0}
    assert all(row.non_finite_logits for row in report.evidence.runs["left"].rows)
    assert report.evidence.precision == ()


@every_dtype
def test_nan_with_right_padding_does_not_change_the_verdict_on_the_left(dtype: torch.dtype) -> None:
    report = compare(nan_behind("right")(build_family(dtype)))
    assert report.comparisons["left"].verdict.within_rounding
    assert report.comparisons["right"].verdict is Verdict.NON_FINITE
    assert report.comparisons["right_forward"].verdict is Verdict.NON_FINITE
    assert report.status == "fail"
    assert "PAD204" in codes(report)


# Errors in the middle


def state(model: PreTrainedModel) -> dict[str, object]:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "tensors": {name: (id(tensor), tensor.dtype, tensor.tolist()) for name, tensor in tensors.items()},
        "order": [name for name, _ in model.named_parameters()],
        "own forward": [name for name, module in model.named_modules() if "forward" in vars(module)],
        "hooks": {
            name: (dict(module._forward_hooks), dict(module._forward_pre_hooks), dict(module._backward_hooks))
            for name, module in model.named_modules()
        },
        "training": [module.training for module in model.modules()],
        "dtype": model.dtype,
        "generation_config": (id(model.generation_config), model.generation_config.to_dict()),
        "attention": model.config._attn_implementation,
    }


@pytest.mark.parametrize("dtype", [FLOAT32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("after", [0, 3, 20, 40, 100, 200])
@pytest.mark.parametrize("error", [ValueError("a user's hook"), KeyboardInterrupt()], ids=repr)
def test_a_users_hook_that_raises_leaves_the_model_as_it_was(
    error: BaseException, after: int, dtype: torch.dtype
) -> None:
    model, calls = planted(one_pad_short)(dtype).train(), iter(range(after))

    def hook(*_args: object) -> None:
        if next(calls, None) is None:
            raise error

    model.model.layers[1].mlp.register_forward_hook(hook)
    before = state(model)
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            compare(model)
    else:
        report = compare(model)
        assert report.status == ("not_measured" if after <= 3 else "fail")
    assert state(model) == before
