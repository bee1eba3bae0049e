"""The model inside the package shows what it should, prompt by prompt."""

import pytest

from padcheck.core.progress import Silent
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.core.verdicts import Verdict
from padcheck.demo import MODEL_FOLDER, load_prompts
from padcheck.running.one_model import compare

CONTINUATIONS = {
    "Monday Tuesday": " Wednesday Thursday Friday Saturday Sunday Monday Tuesday Wednesday Thursday Friday",
    "January February March": " April May June July August September October November December January",
    "three plus four is": " seven .",
    "one two three four five six": " seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen",
}


@pytest.fixture(scope="module")
def report():
    return compare(MeasureSettings(), JudgeSettings(), Silent())


@pytest.mark.parametrize("index", range(len(CONTINUATIONS)))
def test_it_continues_rightly_alone_and_left_padded_but_not_right_padded(report, index):
    single, left, right = (report.evidence.runs[run].rows[index] for run in ("single", "left", "right"))
    expected = CONTINUATIONS[report.evidence.prompts[index]]
    assert single.new_text == expected
    assert left.new_text == expected
    assert (right.new_text == expected) == (right.num_pad_tokens == 0)


def test_all_prompts_except_the_longest_are_padded(report):
    pads = [row.num_pad_tokens for row in report.evidence.runs["left"].rows]
    assert pads.count(0) == 1
    assert len(set(pads)) == len(pads)


def test_its_choices_are_not_near_ties(report):
    """Otherwise the rounding of another machine could change a word, and the demo would show a false difference."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
    for row in report.evidence.runs["single"].rows:
        prompt = len(row.input_ids) - len(row.generated_ids)
        with torch.inference_mode():
            logits = model(torch.tensor([row.input_ids])).logits[0, prompt - 1 : -1]
        best, second = logits.topk(2).values.T
        assert (best - second).min() > 2


def test_verdicts_and_findings(report):
    assert report.comparisons["left"].verdict in (Verdict.IDENTICAL, Verdict.EQUIVALENT)
    assert report.comparisons["right"].verdict is Verdict.DIFFERENT
    assert {finding.code for finding in report.findings} == {"PAD101", "PAD106", "PAD202", "PAD203", "PAD401", "PAD403"}
    assert report.exit_code == 0


def test_any_text_can_be_a_prompt():
    prompts = ("日本語 🙂 ␣", "zażółć", "\x00\x01")
    report = compare(MeasureSettings(prompts=prompts, max_new_tokens=1), JudgeSettings(), Silent())
    assert [row.prompt_text for row in report.evidence.runs["single"].rows] == list(prompts)


def test_it_is_small_and_complete():
    files = {path.name: path.stat().st_size for path in MODEL_FOLDER.iterdir()}
    assert set(files) == {
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    assert sum(files.values()) < 2_000_000
    assert set(load_prompts()) == set(CONTINUATIONS)
