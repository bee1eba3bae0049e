"""Which prompts alone go through generate(), and stand-ins for the others, which are labelled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput
from zoo import compare, tokenizer
from zoo.families import FAMILIES, build_family
from zoo.masks import ignored
from zoo.planting import Arguments, Call, planted

from padcheck.core.evidence import Evidence
from padcheck.core.json_io import dump
from padcheck.core.report import Report
from padcheck.core.run_plans import SINGLE
from padcheck.core.settings import MeasureSettings
from padcheck.core.verdicts import Verdict
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.runtime import AsLoaded
from padcheck.hf.runs.stand_ins import REPLAYED, alone
from padcheck.hf.runs.table import EXECUTIONS
from padcheck.reporters import Format, View, render
from padcheck.reporters.report.wording import probes as probe_wording
from padcheck.reporters.report.wording import prompts as prompt_wording

FLOAT32 = torch.float32
SHORTEST, LONGEST, OTHERS = 3, 1, [0, 2]
"""Of the prompts of the zoo."""


def stood_in(evidence: Evidence, name: str = SINGLE) -> list[int]:
    """The prompts that did not go through generate()."""
    return [row.prompt_index for row in evidence.runs[name].rows if row.stand_in is not None]


def generated_alone(model: PreTrainedModel, **settings: object) -> tuple[Report, list[tuple[int, ...]]]:
    """The report, and the prompts that generate() itself was given alone during the user runs."""
    prompts: list[tuple[int, ...]] = []
    generate = model.generate

    def noted(input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if len(input_ids) == 1 and kwargs["max_new_tokens"] == 3 and bool(kwargs["attention_mask"].all()):
            prompts.append(tuple(input_ids[0].tolist()))
        return generate(input_ids, *args, **kwargs)

    model.generate = noted
    return compare(model, **settings), prompts


def prompts_of(report: Report, *indices: int) -> list[tuple[int, ...]]:
    rows = {row.prompt_index: row for row in report.evidence.runs[SINGLE].rows}
    return [rows[index].input_ids[: -len(rows[index].generated_ids)] for index in indices]


def test_the_shortest_and_the_longest_prompt_go_through_generate() -> None:
    report, alone = generated_alone(build_family(FLOAT32))
    assert sorted(alone) == sorted(prompts_of(report, SHORTEST, LONGEST))
    assert stood_in(report.evidence) == OTHERS
    assert report.status == "pass"


def test_they_do_so_in_each_batch() -> None:
    report = compare(build_family(FLOAT32), ((4, 5, 6), (7, 8), (9,), (10, 11), (12,), (13, 14, 15, 16)), batch_size=3)
    assert stood_in(report.evidence) == [1, 3]


@pytest.mark.parametrize("settings", [{"thorough": True}, {"do_sample": True}], ids=str)
def test_nothing_stands_in_with_thorough_or_with_sampling(settings: dict[str, object]) -> None:
    report = compare(build_family(FLOAT32), **settings)
    assert {result.stand_in for result in report.evidence.runs.values()} == {None}
    assert stood_in(report.evidence) == []


def test_nothing_stands_in_if_the_batch_is_in_doubt() -> None:
    report, alone = generated_alone(planted(ignored)(FLOAT32))
    assert stood_in(report.evidence) == []
    assert set(alone) == set(prompts_of(report, *range(4)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_in_float32_one_forward_stands_in_for_each_prompt_of_a_16_bit_model(dtype: torch.dtype) -> None:
    evidence = compare(build_family(dtype)).evidence
    assert stood_in(evidence) == OTHERS
    assert stood_in(evidence, "single_float32") == list(range(4))
    faulty = compare(planted(ignored)(dtype)).evidence
    assert stood_in(faulty) == stood_in(faulty, "single_float32") == []


@pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
def test_a_stand_in_has_the_tokens_positions_and_logits_of_generate(
    build: Callable[[torch.dtype], PreTrainedModel],
) -> None:
    quick, plain = compare(build(FLOAT32)), compare(build(FLOAT32), thorough=True)
    for row, other in zip(quick.evidence.runs[SINGLE].rows, plain.evidence.runs[SINGLE].rows, strict=True):
        assert (row.generated_ids, row.position_ids) == (other.generated_ids, other.position_ids)
        assert (row.positions_used, row.positions_used_by) == (other.positions_used, other.positions_used_by)
    for side in ("left", "right"):
        found, expected = quick.comparisons[side].rows, plain.comparisons[side].rows
        for row, other in zip(found, expected, strict=True):
            assert row.max_abs_diff == pytest.approx(other.max_abs_diff, abs=row.allowed)
            assert row.verdict.within_rounding == other.verdict.within_rounding
            assert row.first_different_token == other.first_different_token
    assert (quick.status, quick.advice) == (plain.status, plain.advice)


# What a stand-in cannot show


def lone_decoding_off(call: Call) -> Arguments:
    """The cache of a row that is alone is read at the wrong positions."""
    alone = call.past and len(call.input_ids) == 1
    return {"position_ids": call.positions[:, call.past :] + 3} if alone else {}


def off_beside(token_id: int) -> Callable[[Call], Arguments]:
    """Decoding alone is wrong for the prompt that ends with this token."""
    last: list[int] = []

    def fault(call: Call) -> Arguments:
        if not call.past:
            last[:] = [int(call.input_ids[0, -1])]
        return lone_decoding_off(call) if last == [token_id] else {}

    return fault


@pytest.mark.parametrize("dtype", [FLOAT32, torch.bfloat16], ids=str)
def test_a_model_that_decodes_a_lone_prompt_wrongly_does_not_pass(dtype: torch.dtype) -> None:
    report = compare(planted(lone_decoding_off, "gpt2")(dtype))
    assert (report.status, report.exit_code) == ("fail", 1)
    assert report.comparisons["replayed"].verdict is Verdict.DIFFERENT
    assert stood_in(report.evidence) == []


@pytest.mark.parametrize(("prompt", "status"), [("five tokens", "fail"), ("it asked for a mat while it", "pass")])
def test_a_fault_of_one_prompt_alone_shows_only_if_that_prompt_went_through_generate(prompt: str, status: str) -> None:
    """The price of stand-ins: the report names their prompts, and `thorough` uses none."""
    model = planted(off_beside(tokenizer()(prompt).input_ids[-1]), "gpt2")(FLOAT32)
    report = compare(model)
    assert (report.status, stood_in(report.evidence)) == (status, [] if status == "fail" else OTHERS)
    assert compare(model, thorough=True).status == "fail"


# Where it does not agree


def with_wrong_replay(model: PreTrainedModel, prompt: tuple[int, ...], by: float) -> PreTrainedModel:
    """One forward() over this prompt alone and two new tokens gives other logits after its last column."""

    def change(_model: object, args: tuple[Any, ...], kwargs: dict[str, Any], output: ModelOutput) -> None:
        input_ids = args[0] if args else kwargs["input_ids"]
        if input_ids.shape == (1, len(prompt) + 2) and tuple(input_ids[0, : len(prompt)].tolist()) == prompt:
            output.logits[0, -1, 5] += by

    model.register_forward_hook(change, with_kwargs=True)
    return model


@pytest.mark.parametrize("by", [100.0, 0.01], ids=["another token", "logits beyond rounding"])
@pytest.mark.parametrize("dtype", [FLOAT32, torch.bfloat16], ids=str)
def test_a_forward_that_disagrees_with_generate_is_reported_and_padding_is_right(dtype: torch.dtype, by: float) -> None:
    prompt = prompts_of(compare(build_family(dtype)), 2)[0]
    report = compare(with_wrong_replay(build_family(dtype), prompt, by))
    assert "PAD208" in {finding.code for finding in report.findings}
    assert (report.status, stood_in(report.evidence)) == ("pass", [])


def test_a_prompt_whose_stand_in_does_not_agree_is_generated_and_the_others_are_not() -> None:
    model = build_family(FLOAT32)
    batch = Batch({0: (4, 5, 6), 1: (7, 8), 2: (9, 10, 11, 12)}, 4, 0, 64, seed=0)
    with neutral_generation_config(model, 0):
        context = RunContext(AsLoaded(model, MeasureSettings(max_new_tokens=3), None), batch)
        left = dict(zip(batch.prompts, EXECUTIONS["left"].function(context), strict=True))
        known = {2: left[2]}
        assert {index: trace.stand_in for index, trace in alone(context, left, known).items()} == {
            0: REPLAYED,
            1: REPLAYED,
            2: None,
        }
        other = (left[1].generated_ids[0], *((token + 1) % 64 for token in left[1].generated_ids[1:]))
        found = alone(context, left | {1: replace(left[1], generated_ids=other)}, known)
    assert {index: trace.stand_in for index, trace in found.items()} == {0: REPLAYED, 1: None, 2: None}
    assert found[1].generated_ids == left[1].generated_ids


def test_a_stand_in_that_raises_is_an_error_of_the_run() -> None:
    prompt = prompts_of(compare(build_family(FLOAT32)), 2)[0]
    model = build_family(FLOAT32)

    def refuse(_model: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].shape == (1, len(prompt) + 2):
            raise ValueError("not this width")

    handle = model.register_forward_pre_hook(refuse, with_kwargs=True)
    report = compare(model)
    handle.remove()
    assert report.status != "pass"


# What is said of it


def test_evidence_and_json_label_each_row_and_the_run() -> None:
    report = compare(build_family(FLOAT32))
    result = report.evidence.runs[SINGLE]
    assert REPLAYED == "forward() over prompt and new tokens"
    assert result.stand_in == REPLAYED
    assert [row.stand_in for row in result.rows] == [REPLAYED, None, REPLAYED, None]
    assert {other.stand_in for name, other in report.evidence.runs.items() if name not in (SINGLE, "replayed")} == {
        None
    }
    written = dump(report)
    assert written.count(f'"stand_in":"{REPLAYED}"') == 6


def test_the_report_labels_each_prompt_and_says_it_below_the_probes() -> None:
    report = compare(build_family(FLOAT32))
    sentence = f"{REPLAYED} stood in for generate() to run prompts 0, 2 alone."
    assert sentence in probe_wording.notes(report)
    outcomes = [prompt_wording.outputs(report, index)[0].outcome for index in range(4)]
    assert outcomes == [f"the reference, from {REPLAYED}", "the reference"] * 2
    table = " ".join(render(report, Format.TABLE, View(width=200, verbose=True)).split())
    assert sentence in table
    assert table.count(f"the reference, from {REPLAYED}") == 2
    assert sentence in render(report, Format.MARKDOWN, View())


def test_pad208_is_not_decided_for_the_prompts_that_were_not_generated() -> None:
    report = compare(build_family(FLOAT32))
    reasons = {skipped.code: skipped.reason for skipped in report.skipped}
    assert reasons["PAD208"] == f"{REPLAYED} stands in for generate() on prompts 0, 2; the others agree"
    thorough = compare(build_family(FLOAT32), thorough=True)
    assert "PAD208" not in {skipped.code for skipped in thorough.skipped}
