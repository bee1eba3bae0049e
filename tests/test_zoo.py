"""Planted faults are found in every dtype, and models without one are left in peace."""

import builders
import pytest
import torch
from transformers import PreTrainedModel
from zoo import CLEAN, FAULTS, PROMPTS, Clean, Planted, tokenizer
from zoo.planting import DTYPES, UNHARMED

from padcheck.checks import RULES
from padcheck.hf.arms import run_arms
from padcheck.hf.encoding import encode_prompts, render_prompts, tokenizer_samples
from padcheck.hf.pad_tokens import choose_pad_token
from padcheck.hf.positions import position_encoding
from padcheck.judge import judge
from padcheck.progress import Silent
from padcheck.report import Report, Verdict
from padcheck.settings import JudgeSettings, MeasureSettings

CODES = {rule.code for rule in RULES}
FOR_VERDICT = {Verdict.DIFFERENT: "PAD201", Verdict.NON_FINITE: "PAD204"}
HARM = {"PAD201", "PAD204", "PAD206"}
UNAVOIDABLE = {"PAD202", "PAD401"}
"""Nothing can be generated behind pads, and forward() alone does not know the positions of a left-padded row."""


def compare(model: PreTrainedModel) -> Report:
    """What padcheck says of a model in memory."""
    words = tokenizer()
    settings = MeasureSettings(prompts=PROMPTS, max_new_tokens=3)
    rendered, pad_token = render_prompts(words, PROMPTS, chat=False), choose_pad_token(words, None)
    encoded = encode_prompts(words, rendered)
    measured = run_arms(model, words, encoded, pad_token, settings=settings, progress=Silent())
    facts = builders.model_facts(
        model_type=model.config.model_type,
        position_encoding=position_encoding(model.config),
        dtype=str(model.dtype).removeprefix("torch."),
        attn_implementation=model.config._attn_implementation,
    )
    evidence = builders.evidence(
        model=facts,
        prompts=PROMPTS,
        num_prompt_tokens=tuple(map(len, encoded)),
        max_new_tokens=settings.max_new_tokens,
        samples=tokenizer_samples(words, rendered, pad_token),
        **vars(measured),
    )
    return judge("compare", evidence, JudgeSettings())


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Planted, dtype: torch.dtype) -> None:
    report = compare(fault.build(dtype))

    left, right, found = report.comparisons["left"], report.comparisons["right"], codes(report)
    assert left.verdict in fault.expected_left(dtype), left.reason
    expected = {FOR_VERDICT[left.verdict]} if left.verdict in FOR_VERDICT else set()
    if fault.reaches_unpadded_rows:
        expected.add("PAD206")
    assert found & HARM == expected
    if fault.left is None:
        assert right.verdict is Verdict.DIFFERENT, right.reason
    if fault.cause in CODES and dtype in fault.dtypes:
        assert fault.cause in found


@pytest.mark.parametrize("clean", CLEAN, ids=lambda clean: clean.name)
def test_a_model_without_a_fault_is_left_in_peace(clean: Clean) -> None:
    report = compare(clean.build(torch.float32))

    assert report.comparisons["left"].verdict in UNHARMED, report.comparisons["left"].reason
    assert codes(report) <= UNAVOIDABLE
