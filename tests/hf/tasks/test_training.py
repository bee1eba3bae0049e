"""Runs a training step: planted faults are found with their cause, and clean families pass."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, PreTrainedModel
from zoo.families import FAMILIES, PROMPTS, tokenizer
from zoo.planting import DTYPES
from zoo.training import PLANTED_TRAINING, PlantedTraining

import padcheck as api
from padcheck.core.errors import NotMeasuredError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.severity import Severity
from padcheck.hf.float32 import view
from padcheck.hf.tasks.train import learning
from padcheck.hf.toys.tiny_model import build_tiny_model

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
FAULTS = {"PAD405", "PAD408", "PAD409", "PAD441", "PAD442", "PAD443", "PAD444"}


@every_dtype
@pytest.mark.parametrize("planted", PLANTED_TRAINING, ids=lambda planted: planted.name)
def test_a_planted_fault_is_found_with_its_cause(planted: PlantedTraining, dtype: torch.dtype) -> None:
    report = api.compare(planted.build(dtype), tokenizer(), PROMPTS, task="train", padding_side=planted.side)
    codes = {finding.code for finding in report.findings}
    assert planted.codes <= codes, report
    assert codes & FAULTS <= planted.codes, report
    assert report.status == ("fail" if planted.fails else "pass")


@every_dtype
@pytest.mark.parametrize("family", FAMILIES)
def test_a_clean_family_passes(family: str, dtype: torch.dtype) -> None:
    report = api.compare(FAMILIES[family](dtype), tokenizer(), PROMPTS, task="train")
    assert report.status == "pass", report
    assert not {finding.code for finding in report.findings} & FAULTS


def test_the_step_says_which_collator_fits_the_tokenizer() -> None:
    model, same = FAMILIES["llama"](torch.float32), tokenizer()
    same.pad_token = same.eos_token
    report = api.compare(model, same, PROMPTS, task="train", padding_side="right")
    [found] = [finding for finding in report.findings if finding.code == "PAD445"]
    assert found.evidence["collators"] == ["DataCollatorForLanguageModeling"]
    assert "28 of 32 labels count" in found.message  # each of four texts loses its eos
    assert report.task_comparisons["step_label_pads"].verdict.within_rounding
    assert report.task_comparisons["step_pad_id"].reference == "step_alone"
    assert not report.task_comparisons["step_pad_id"].verdict.within_rounding


def test_left_padded_labels_by_the_mask_train_a_pad() -> None:
    report = api.compare(FAMILIES["llama"](torch.float32), tokenizer(), PROMPTS, task="train", padding_side="left")
    assert "PAD447" in {finding.code for finding in report.findings}
    assert report.task_comparisons["step_left_first"].verdict.within_rounding


def test_the_reference_is_the_loss_and_gradient_that_torch_gives() -> None:
    model, tok = FAMILIES["llama"](torch.float32), tokenizer()
    task = api.compare(model, tok, PROMPTS, task="train").evidence.task
    total, number, norms = 0.0, 0, []
    for text in PROMPTS:
        ids = torch.tensor([tok(text)["input_ids"] + [tok.eos_token_id]])
        embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
        loss = model(inputs_embeds=embedded, labels=ids).loss
        norms.append(torch.autograd.grad(loss, embedded)[0].norm().item())
        total, number = total + loss.item() * (ids.shape[1] - 1), number + ids.shape[1] - 1
    [step] = task.runs["step_alone"].rows
    assert step.numbers["loss"] == pytest.approx(total / number, rel=1e-5)
    assert step.numbers["labels"] == number
    assert [row.numbers["gradient"] for row in task.runs["alone"].rows] == pytest.approx(norms, rel=1e-4)


@every_dtype
def test_model_and_tokenizer_are_left_as_they_were(dtype: torch.dtype) -> None:
    model, tok = FAMILIES["llama"](dtype).train(), tokenizer()
    frozen = next(model.parameters())
    frozen.requires_grad = False
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    last = list(model.parameters())[-1]
    last.grad = torch.ones_like(last)
    random = torch.get_rng_state()
    api.compare(model, tok, PROMPTS, task="train")
    assert model.training
    assert [weight is not frozen for weight in model.parameters()] == [w.requires_grad for w in model.parameters()]
    assert [weight for weight in model.parameters() if weight.grad is not None] == [last]
    assert (last.grad == 1).all()
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())
    assert tok.padding_side == "left"
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks for module in model.modules())


def test_flags_come_back_after_an_error() -> None:
    weights = torch.nn.Linear(2, 2)
    weights.bias.requires_grad = False
    with pytest.raises(ZeroDivisionError), learning(weights, [weights.bias]):
        1 / int(weights.weight.requires_grad)
    assert [weight.requires_grad for weight in weights.parameters()] == [True, False]


@pytest.mark.parametrize("in_the_step", [False, True])
def test_out_of_memory_in_backward_is_not_measured(monkeypatch: pytest.MonkeyPatch, *, in_the_step: bool) -> None:
    grad = torch.autograd.grad

    def full(outputs, inputs, **kwargs):
        if in_the_step != isinstance(inputs[0], torch.nn.Parameter):
            return grad(outputs, inputs, **kwargs)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.autograd, "grad", full)
    with pytest.raises(NotMeasuredError, match=r"in a training step: .*out of memory") as raised:
        api.compare(FAMILIES["llama"](torch.float32), tokenizer(), PROMPTS, task="train")
    assert raised.value.exit_code is ExitCode.NOT_MEASURED
    assert "--batch-size" in raised.value.change


def test_a_16_bit_model_without_room_for_float32_runs_in_its_own_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "free_memory", lambda _device: 0)
    report = api.compare(FAMILIES["llama"](torch.bfloat16), tokenizer(), PROMPTS, task="train")
    step = report.evidence.task.runs["step_right"]
    assert step.dtype is None
    assert report.task_comparisons["step_right"].verdict.within_rounding
    assert report.status == "pass"


def test_a_model_without_a_loss_keeps_the_error_of_the_step() -> None:
    model = FAMILIES["llama"](torch.float32)
    forward = model.forward

    def without_labels(input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, **kwargs):
        if "labels" in kwargs:
            raise TypeError("forward() got an unexpected keyword argument 'labels'")
        return forward(input_ids, attention_mask, position_ids, past_key_values, **kwargs)

    model.forward = without_labels
    report = api.compare(model, tokenizer(), PROMPTS, task="train")
    assert report.status == "pass"
    assert "labels" in report.evidence.task.runs["step_right"].error
    assert str(report.task_comparisons["step_right"].verdict.value) == "not_run"


def test_a_tokenizer_without_eos_and_a_text_of_one_token() -> None:
    tok = tokenizer()
    tok.eos_token = None
    tok.backend_tokenizer.post_processor = None  # no bos
    report = api.compare(FAMILIES["llama"](torch.float32), tok, ["dog", *PROMPTS], task="train")
    assert report.status == "pass", report
    assert report.evidence.task.runs["alone"].rows[0].numbers["loss"] == 0


def test_in_a_report(padcheck, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    outcome = padcheck("compare", "--task", "train", "--format", "json", "--output", file)
    assert outcome.exit_code == 0
    report = json.loads(file.read_text())
    assert report["task"]["sampled"] == ["transformer.h.0", "transformer.h.1"]
    assert report["task_comparisons"]["step_pad_id"]["verdict"] == "different"
    for form in ("table", "markdown", "html"):
        text = padcheck("render", file, "--format", form).stdout
        assert "A training step" in text or "gradient off by" in text
        assert "labels by pad id" in text


def _toy(model_type: str) -> PreTrainedModel:
    return build_tiny_model(AutoConfig.for_model(model_type))


@pytest.mark.parametrize("model_type", ["rwkv", "xlnet"])
def test_a_cache_written_in_place_and_columns_before_rows(model_type: str) -> None:
    report = api.compare(_toy(model_type), tokenizer(), PROMPTS, task="train")
    assert all(row.numbers["gradient"] > 0 for row in report.evidence.task.runs["alone"].rows)
    assert report.task_comparisons["right"].verdict.within_rounding


def test_a_loss_that_leaves_the_shift_to_the_caller_is_a_warning() -> None:
    report = api.compare(_toy("bart"), tokenizer(), PROMPTS, task="train", padding_side="right")
    [found] = [finding for finding in report.findings if finding.code == "PAD444"]
    assert found.severity is Severity.WARNING


def test_the_gradients_are_those_of_layers_that_text_goes_through() -> None:
    task = api.compare(_toy("git"), tokenizer(), PROMPTS, task="train").evidence.task
    assert all("vision" not in name for name in task.sampled)
    assert task.runs["step_alone"].rows
