"""The modes of generate(): a fault in one of them is found there, a healthy model is silent, and a refusal is reported.

`tests/test_zoo.py` plants a fault in each mode. Here the models are those of transformers, unchanged.
"""

import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from zoo import compare
from zoo.families import FAMILIES, VOCAB_SIZE, build_family
from zoo.modes import CHUNKED
from zoo.planting import UNHARMED

from padcheck.core.modes import ModeName
from padcheck.core.report import Report
from padcheck.core.run_plans import MODES, RUN_PLANS
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Verdict

V5 = transformers.__version__ >= "5"
only_v5 = pytest.mark.skipif(not V5, reason="transformers 4.48 has no such model, or no such mode for it")


def found(report: Report, code: str) -> Finding:
    [finding] = [finding for finding in report.findings if finding.code == code]
    return finding


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings} & {"PAD201", "PAD209", "PAD210", "PAD211"}


def runs_of(*modes: ModeName) -> set[str]:
    return {run for mode in modes for run in (MODES[mode].alone, MODES[mode].left)}


REFUSED = set() if CHUNKED else {"chunked-prefill"}
"""The modes that the installed transformers does not have."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_healthy_model_is_right_in_every_mode(dtype: torch.dtype) -> None:
    report = compare(build_family(dtype), with_modes=("all",), max_new_tokens=6)
    for name in runs_of(*MODES.keys() - REFUSED):
        assert report.comparisons[name].verdict in UNHARMED, f"{name}: {report.comparisons[name].reason}"
        assert len(report.evidence.runs[name].rows) == len(report.evidence.prompts)
        assert report.evidence.runs[name].dtype == (None if dtype is torch.float32 else "float32")
    assert report.status == "pass"
    assert codes(report) == ({"PAD211"} if REFUSED else set())


@pytest.mark.parametrize("family", ["gpt2", "opt", "bloom", "gptj", "qwen2", "mixtral"])
def test_no_mode_gives_a_false_alarm(family: str) -> None:
    report = compare(FAMILIES[family](torch.float32), with_modes=("all",), max_new_tokens=6)
    assert report.status == "pass"
    assert codes(report) <= (set() if V5 else {"PAD211"})


def test_no_mode_runs_unless_it_was_asked_for() -> None:
    report = compare(build_family(torch.float32), thorough=True)
    assert not {name for name in report.evidence.runs if RUN_PLANS[name].mode} - runs_of("no-cache")
    report = compare(build_family(torch.float32), with_modes=("static-cache",))
    assert {name for name in report.evidence.runs if RUN_PLANS[name].mode} == runs_of("static-cache")


def test_the_rows_of_a_second_turn_have_pads_between_the_turns() -> None:
    report = compare(build_family(torch.float32), with_modes=("second-turn",))
    row = report.evidence.runs["left_second_turn"].rows[3]
    # Of 3 tokens the first is one turn and the others are another; the longest prompt has turns of 5 and 6.
    assert row.attention_mask[:11] == (0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1)
    assert row.num_pad_tokens == 8
    assert row.position_ids[5:11] == (*row.position_ids[5:9], 1, 2)
    alone = report.evidence.runs["second_turn"].rows[3]
    assert (alone.num_pad_tokens, alone.input_ids[:3]) == (0, tuple(id_ for id_ in row.input_ids[:11] if id_)[-3:])


def test_prompts_of_one_token_have_no_second_turn() -> None:
    model = build_family(torch.float32)
    report = compare(model, encoded=((4, 5, 6, 7), (8,)), with_modes=("second-turn",))
    assert [row.prompt_index for row in report.evidence.runs["second_turn"].rows] == [0]
    assert report.comparisons["second_turn"].verdict in UNHARMED
    report = compare(model, encoded=((4,), (8,)), with_modes=("second-turn",))
    assert report.comparisons["second_turn"].verdict is Verdict.NOT_RUN
    assert "PAD211" in codes(report)


def toy(model_type: str, **settings: object) -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}
    ids = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": None, "vocab_size": VOCAB_SIZE}
    config = AutoConfig.for_model(model_type, **sizes, **ids, intermediate_size=64, initializer_range=0.2, **settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


def test_jamba_forgets_the_first_turn_even_alone() -> None:
    layers = {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 16, "num_experts": 2}
    report = compare(toy("jamba", **layers, use_mamba_kernels=False), with_modes=("second-turn", "assisted"))
    wrong = found(report, "PAD209")
    assert list(wrong.evidence["modes"]) == ["second-turn"]
    assert wrong.evidence["modes"]["second-turn"]["max_abs_diff"] > 0.1
    refused = found(report, "PAD211")
    assert refused.severity is Severity.INFO
    assert "assisted did not run: ValueError: assisted generation is not supported with stateful" in refused.message
    assert report.evidence.runs["assisted"].refused
    assert report.comparisons["left"].verdict in UNHARMED


@only_v5
def test_gpt_neo_with_a_local_layer_and_a_static_cache_is_wrong_even_alone() -> None:
    report = compare(FAMILIES["gpt_neo"](torch.float32), with_modes=("static-cache", "no-cache"))
    assert list(found(report, "PAD209").evidence["modes"]) == ["static-cache"]
    assert "PAD210" not in codes(report)


@only_v5
def test_gpt_neo_with_global_layers_is_right_with_a_static_cache() -> None:
    model = build_family(torch.float32, "gpt_neo", window_size=64)
    assert codes(compare(model, with_modes=("static-cache",))) == set()


@pytest.mark.parametrize(("family", "raises"), [("falcon with ALiBi", True), *([("falcon", False)] if V5 else [])])
def test_falcon_with_alibi_raises_with_a_static_cache(family: str, raises: bool) -> None:
    report = compare(FAMILIES[family](torch.float32), with_modes=("static-cache",))
    assert codes(report) == ({"PAD211"} if raises else set())
    assert report.evidence.runs["static_cache"].refused is False
    if raises:
        assert found(report, "PAD211").severity is Severity.WARNING
        assert report.comparisons["static_cache"].verdict is Verdict.NOT_RUN


@pytest.mark.parametrize(("window", "wrong"), [(4, True), (64, False)])
def test_in_a_sliding_window_the_pads_between_two_turns_take_the_place_of_tokens(window: int, wrong: bool) -> None:
    model = build_family(torch.float32, "mistral", sliding_window=window)
    report = compare(model, with_modes=("second-turn",))
    assert codes(report) == ({"PAD210"} if wrong else set())
    assert report.comparisons["second_turn"].verdict in UNHARMED


@only_v5
def test_minimax_whose_first_layer_is_linear_is_right_without_a_cache() -> None:
    layers = ["linear_attention"] * 3 + ["full_attention"]
    report = compare(toy("minimax", num_local_experts=2, layer_types=layers), with_modes=("no-cache",))
    assert report.comparisons["left"].verdict is Verdict.DIFFERENT
    assert {report.comparisons[run].verdict for run in ("uncached", "left_uncached")} <= UNHARMED
    assert codes(report) == {"PAD201"}


@pytest.mark.skipif(V5, reason="transformers 5 has every mode")
def test_a_mode_that_the_installed_transformers_lacks_is_not_run() -> None:
    report = compare(FAMILIES["gpt2"](torch.float32), with_modes=("chunked-prefill", "static-cache"))
    refused = found(report, "PAD211")
    assert refused.severity is Severity.INFO
    assert "chunked-prefill did not run: the installed transformers has no prefill_chunk_size" in refused.message
    assert 'static-cache did not run: generate() ignores cache_implementation="static"' in refused.message
    assert report.evidence.runs["static_cache"].rows == ()
