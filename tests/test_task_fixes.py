"""Every fix of a task's finding, executed: then the finding is gone, or the lines give what the texts give alone."""

import re
from pathlib import Path

import pytest
import torch
from test_fixes import found, run
from torch.nn.functional import cross_entropy
from transformers import DataCollatorForSeq2Seq, PreTrainedModel
from zoo.families import EOS, PROMPTS, build_family, tokenizer
from zoo.heads import PLANTED_HEADS, classifier
from zoo.planting import Call, plant
from zoo.training import not_shifted, with_loss

import padcheck
from padcheck.core.report import Report
from padcheck.judging.rules import RULES
from padcheck.judging.task_rule import TaskRule

PROSE = {
    "PAD408": "the module that the finding names must change",
    "PAD409": "only the batch can change",
    "PAD414": "only another checkpoint has a trained head",
    "PAD432": "the line is the command of another program",
    "PAD441": "the model's own loss must change",
    "PAD442": "the model's own loss must change",
    "PAD443": "the model's own code must change",
    "PAD446": "only the accumulation, or the model's own loss, can change",
}
"""Fixes without a line of code that can be executed here, and why."""

HEADS = {planted.name: planted for planted in PLANTED_HEADS}


def judged(model: PreTrainedModel, words, side: str, task: str = "classify", **options) -> Report:
    return padcheck.compare(model, words, list(PROMPTS), task=task, padding_side=side, **options)


@pytest.mark.parametrize("code", ["PAD405", "PAD412"])
@pytest.mark.parametrize(
    ("name", "side"), [("pools the last column", "right"), ("pools mask.sum() - 1", "left")], ids=["right", "left"]
)
def test_the_other_side_removes_the_finding(code: str, name: str, side: str) -> None:
    model, words = HEADS[name].build(torch.float32), tokenizer()
    run(found(judged(model, words, side))[code].fix, tokenizer=words)
    assert words.padding_side != side
    report = judged(model, words, words.padding_side)
    assert report.status == "pass"
    assert code not in found(report)


@pytest.mark.parametrize(
    ("name", "side"), [("the config names another pad id", "right"), ("the config names no pad id", "left")]
)
def test_the_pad_id_of_the_tokenizer_removes_the_finding(name: str, side: str) -> None:
    model, words = HEADS[name].build(torch.float32), tokenizer()
    before = found(judged(model, words, side))
    run(before["PAD411"].fix, model=model, tokenizer=words)
    after = judged(model, words, side)
    assert after.status == "pass"
    # PAD415, an info, is not asked while the side is wrong with ids too.
    assert found(after).keys() <= before.keys() - {"PAD411", "PAD405"} | {"PAD415"}


def test_position_ids_make_a_left_padded_classifier_right() -> None:
    model, words = HEADS["positions count pads"].build(torch.float32), tokenizer()
    fix = found(judged(model, words, "left"))["PAD407"].fix
    inputs = words(list(PROMPTS), padding=True, padding_side="left", return_tensors="pt")
    positions = run(fix, **inputs)["position_ids"]
    ids = {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask}
    with torch.no_grad():
        expected = torch.cat([model(**_plain(words, text)).logits for text in PROMPTS])
        assert (model(**ids, position_ids=positions).logits - expected).abs().max() < 1e-4
        assert (model(**ids).logits - expected).abs().max() > 1e-2


def test_a_pad_token_that_is_no_eos_lets_the_head_read_the_eos() -> None:
    model, words = classifier(torch.float32, pad=EOS), tokenizer()
    words.pad_token = words.eos_token
    before = found(judged(model, words, "right"))
    fix = before["PAD413"].fix.replace("'...'", "'<pad>'")
    assert "'<pad>'" in fix
    run(fix, model=model, tokenizer=words)
    assert words.pad_token_id != EOS
    assert found(judged(model, words, "right")).keys() <= before.keys() - {"PAD413"}


def test_left_padding_is_right_for_embeddings() -> None:
    model, words = classifier(torch.float32), tokenizer()
    fix = found(judged(model, words, "right"))["PAD415"].fix
    run(fix, tokenizer=words)
    report = judged(model, words, words.padding_side)
    assert report.status == "pass"
    assert "PAD415" not in found(report)


@pytest.mark.parametrize("side", ["left", "right"])
def test_pooling_by_the_mask_gives_the_embeddings_of_the_texts_alone(side: str) -> None:
    model, words = build_family(torch.float32).base_model, tokenizer()
    last, mean = found(judged(model, words, side, task="embed"))["PAD421"].fix.splitlines()
    inputs = words(list(PROMPTS), padding=True, padding_side=side, return_tensors="pt")
    with torch.no_grad():
        hidden = _hidden(model, inputs)
        alone = [_hidden(model, _plain(words, text))[0] for text in PROMPTS]
    for line, expected in ((last, [each[-1] for each in alone]), (mean, [each.mean(0) for each in alone])):
        embeddings = run(line, hidden=hidden, mask=inputs.attention_mask)["embeddings"]
        assert (embeddings - torch.stack(expected)).abs().max() < 1e-4


def test_right_padded_choices_are_ranked_as_alone() -> None:
    model, words = plant(build_family(torch.float32), ignores_the_mask), tokenizer()
    choices = [(" mat", " dog"), (" tree", " cat"), (" the", " sat"), (" dog", " mat")]
    run(found(judged(model, words, "left", task="score", choices=choices))["PAD431"].fix, tokenizer=words)
    after = found(judged(model, words, words.padding_side, task="score", choices=choices))
    assert "PAD431" not in after


def test_position_ids_make_two_sided_rows_right() -> None:
    model, words = build_family(torch.float32, "gpt2"), tokenizer()
    choices = [(" mat",), (" tree",), (" the",), (" dog",)]
    fix = found(padcheck.compare(model, words, PROMPTS, task="score", choices=choices))["PAD433"].fix
    texts = [words(prompt).input_ids for prompt in PROMPTS[2:]]
    ids = torch.full((2, 14), words.pad_token_id)
    for row, text in zip(ids, texts, strict=True):
        row[10 - len(text) : 10] = torch.tensor(text)  # pads on the left, and four on the right
    mask = (ids != words.pad_token_id).long()
    positions = run(fix, attention_mask=mask)["position_ids"]
    with torch.no_grad():
        expected = torch.stack([model(torch.tensor([text])).logits[0, -1] for text in texts])
        assert (model(ids, attention_mask=mask, position_ids=positions).logits[:, 9] - expected).abs().max() < 1e-4
        assert (model(ids, attention_mask=mask).logits[:, 9] - expected).abs().max() > 1e-2


@pytest.mark.parametrize("code", ["PAD444", "PAD445", "PAD447"])
def test_a_batch_as_the_fix_says_has_the_loss_of_the_texts_alone(code: str) -> None:
    model = with_loss(torch.float32, not_shifted) if code == "PAD444" else build_family(torch.float32)
    words = tokenizer()
    words.pad_token = words.eos_token
    fix = found(padcheck.compare(model, words, PROMPTS, task="train", padding_side=_SIDES[code]))[code].fix
    ids = [[*words(text).input_ids, words.eos_token_id] for text in PROMPTS]
    features = [{"input_ids": each, "attention_mask": [1] * len(each), "labels": each} for each in ids]
    words.padding_side = _SIDES[code]
    if code == "PAD445":
        batch = run(fix, tokenizer=words, DataCollatorForSeq2Seq=DataCollatorForSeq2Seq)["collator"](features)
    else:
        batch = DataCollatorForSeq2Seq(words)(features)
        batch["labels"] = run(fix, tokenizer=words, torch=torch, **batch)["labels"]
    with torch.no_grad():
        losses = [cross_entropy(model(torch.tensor([each])).logits[0, :-1], torch.tensor(each[1:])) for each in ids]
        weights = torch.tensor([len(each) - 1.0 for each in ids])
        expected = (torch.stack(losses) * weights).sum() / weights.sum()
        assert model(**batch).loss == pytest.approx(expected.item(), rel=1e-5)


_SIDES = {"PAD444": "right", "PAD445": "right", "PAD447": "left"}


def ignores_the_mask(call: Call) -> dict[str, torch.Tensor]:
    return {"attention_mask": torch.ones_like(call.mask).long()}


def _plain(words, text: str) -> dict[str, torch.Tensor]:
    inputs = words(text, return_tensors="pt")
    return {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask}


def _hidden(model: PreTrainedModel, inputs) -> torch.Tensor:
    ids = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    return model(**ids).last_hidden_state


def test_every_code_of_a_task_has_a_fix_that_is_executed_here_or_a_reason_why_not() -> None:
    executed = set(re.findall(r'"(PAD\d{3})"', Path(__file__).read_text(encoding="utf-8").split("HEADS =", 1)[1]))
    assert {rule.code for rule in RULES if isinstance(rule, TaskRule)} == executed | PROSE.keys()
