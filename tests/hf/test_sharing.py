"""The quick way gives the verdicts of the plain way, and is taken only where nothing differs."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput
from zoo import CLEAN, FAULTS, compare
from zoo.families import build_family
from zoo.masks import ignored
from zoo.planting import planted

from padcheck.hf import arms, sharing
from padcheck.hf.logits import LogitsLog
from padcheck.report import Report

FLOAT32 = torch.float32
MODELS = {
    **{clean.name: clean.build for clean in CLEAN},
    **{f"fault: {fault.name}": fault.build for fault in FAULTS if fault.expected_left(FLOAT32)},
}


def plainly(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, **settings: object) -> Report:
    with monkeypatch.context() as patch:
        patch.setattr(arms, "may_share", lambda run: False)
        return compare(model, **settings)


def was_shared(report: Report) -> bool:
    return "replayed" in report.evidence.left_out


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_it_gives_the_verdicts_of_the_plain_way(
    build: Callable[[torch.dtype], PreTrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, plain = compare(build(FLOAT32)), plainly(build(FLOAT32), monkeypatch)
    assert (quick.status, quick.exit_code) == (plain.status, plain.exit_code)
    assert [finding.code for finding in quick.findings] == [finding.code for finding in plain.findings]
    assert quick.advice == plain.advice
    for name, comparison in quick.comparisons.items():
        assert comparison.verdict.within_rounding == plain.comparisons[name].verdict.within_rounding, name
    for name in ("single", "left", "right"):
        rows, expected = quick.evidence.arms[name].rows, plain.evidence.arms[name].rows
        for row, other in zip(rows, expected, strict=True):
            assert (row.generated_ids, row.position_ids) == (other.generated_ids, other.position_ids)
        assert quick.evidence.arms[name].warnings == plain.evidence.arms[name].warnings


def test_it_is_taken_where_nothing_differs_and_left_where_anything_does() -> None:
    assert was_shared(compare(build_family(FLOAT32)))
    assert not was_shared(compare(planted(ignored)(FLOAT32)))


@pytest.mark.parametrize("settings", [{"thorough": True}, {"do_sample": True}])
def test_it_is_not_taken_where_the_plain_way_is_asked_for_or_tokens_are_drawn(settings: dict[str, object]) -> None:
    assert not was_shared(compare(build_family(FLOAT32), **settings))


def test_it_is_not_taken_in_16_bit() -> None:
    assert not was_shared(compare(build_family(torch.bfloat16)))


def test_it_is_not_taken_where_no_prompt_gets_a_pad() -> None:
    assert not was_shared(compare(build_family(FLOAT32), encoded=((4, 5), (6, 7))))


@pytest.mark.parametrize("off", ["token", "logits"])
def test_a_prompt_alone_that_says_something_else_is_a_doubt(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sharing.replay

    def other(*args: object, **kwargs: object) -> object:
        trace = real(*args, **kwargs)
        logits, log = trace.logits.whole(), LogitsLog(1)
        logits[-1, (trace.generated_ids[-1] + 1) % logits.shape[1]] += 100.0 if off == "token" else 0.01
        log.add(logits)
        return replace(trace, logits=log.row(0, len(logits)))

    monkeypatch.setattr(sharing, "replay", other)
    assert not was_shared(compare(build_family(FLOAT32)))


def test_a_model_that_raises_in_the_middle_goes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> object:
        raise RuntimeError("not today")

    monkeypatch.setattr(sharing, "replay", broken)
    report = compare(build_family(FLOAT32))
    assert report.status == "pass"
    assert not was_shared(report)


def test_what_is_found_on_a_few_prompts_does_not_count_the_others() -> None:
    report = compare(build_family(FLOAT32, "gpt2"))
    [finding] = [finding for finding in report.findings if finding.code == "PAD401"]
    assert "wrong for 1 of the 2 prompts tried" in finding.message
    plain = compare(build_family(FLOAT32, "gpt2"), thorough=True)
    [finding] = [finding for finding in plain.findings if finding.code == "PAD401"]
    assert "wrong for 3 of 4 prompts" in finding.message


def with_little_room(model: PreTrainedModel) -> PreTrainedModel:
    """Rows beyond six tenths of a batch lose a little of the last layer, as an expert's capacity has it."""

    def lose(_module: torch.nn.Module, _args: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[math.ceil(0.6 * len(output)) :] *= 0.98
        return output

    model.model.layers[-1].mlp.register_forward_hook(lose)
    return model


def asking_once_for_all_rows(model: PreTrainedModel, wrong: str) -> PreTrainedModel:
    """Where the pads are is asked of the batch as a whole, and one of the answers leads to wrong logits."""

    def ask(module: torch.nn.Module, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
        mask = kwargs.get("attention_mask")
        sides = (bool((mask[:, 0] == 0).any()), bool((mask[:, -1] == 0).any())) if mask is not None else None
        module.has_wrong_pads = sides == {"left": (True, False), "right": (False, True)}[wrong]

    def roll(module: torch.nn.Module, _args: object, output: ModelOutput) -> None:
        if module.has_wrong_pads:
            output.logits = output.logits.roll(1, dims=-1)

    model.register_forward_pre_hook(ask, with_kwargs=True)
    model.register_forward_hook(roll)
    return model


def test_rows_that_a_batch_has_no_room_for_are_found() -> None:
    report = compare(with_little_room(build_family(FLOAT32)))
    assert not was_shared(report)
    assert report.status == "fail"
    assert "PAD206" in [finding.code for finding in report.findings]


def test_what_is_wrong_in_a_batch_of_one_side_alone_is_found() -> None:
    left = compare(asking_once_for_all_rows(build_family(FLOAT32), "left"))
    assert left.status == "fail"
    assert not was_shared(left)
    right = compare(asking_once_for_all_rows(build_family(FLOAT32), "right"))
    assert not right.comparisons["right_forward"].verdict.within_rounding
    assert right.status == "fail"
