"""Scores choices with encoder-decoder models: planted faults, clean families, and bad input."""

from collections.abc import Callable

import pytest
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, PreTrainedModel
from zoo.families import BOS, EOS, PAD, PROMPTS, VOCAB_SIZE, tokenizer
from zoo.planting import DTYPES

import padcheck as api
from padcheck.core.errors import NotMeasuredError, UsageError

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
CHOICES = (("cat sat", "tree"), ("food", "mat on"), (), ("cat", "dog ran under the tree"))
_SETTINGS = {
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
    "bart": {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 64,
    },
}
_SETTINGS |= {
    "mt5": _SETTINGS["t5"],
    "umt5": _SETTINGS["t5"],
    "m2m_100": _SETTINGS["bart"],
    "mbart": _SETTINGS["bart"],
    "pegasus": _SETTINGS["bart"],
    "marian": _SETTINGS["bart"] | {"decoder_start_token_id": BOS},
}


def build(dtype: torch.dtype, model_type: str = "t5", auto: type = AutoModelForSeq2SeqLM) -> PreTrainedModel:
    special = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS, "decoder_start_token_id": PAD}
    config = AutoConfig.for_model(model_type, vocab_size=VOCAB_SIZE, **special | _SETTINGS[model_type])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = auto.from_config(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
        return model.eval().to(dtype)


def compare(model: PreTrainedModel, **more: object) -> api.Report:
    return api.compare(model, tokenizer(), PROMPTS, task="score", **{"choices": CHOICES} | more)


def codes(report: api.Report) -> set[str]:
    return {finding.code for finding in report.findings if finding.code.startswith("PAD4")}


def _mask_ignored(model: PreTrainedModel) -> None:
    def changed(_module, args, kwargs):
        return args, kwargs | {"attention_mask": torch.ones_like(kwargs["attention_mask"])}

    model.get_encoder().register_forward_pre_hook(changed, with_kwargs=True)


def _first_pads_choose_the_label(model: PreTrainedModel) -> None:
    def changed(_model, _args, kwargs, output):
        pads = (kwargs["input_ids"] == PAD).sum(1)
        output.logits[..., 9] += pads[:, None].to(output.logits.dtype)
        return output

    model.register_forward_hook(changed, with_kwargs=True)


def _decoder_sees_pads(model: PreTrainedModel) -> None:
    """The mask of the cross-attention is lost."""

    def changed(_module, args, kwargs):
        return args, kwargs | {"encoder_attention_mask": None}

    model.get_decoder().register_forward_pre_hook(changed, with_kwargs=True)


@every_dtype
@pytest.mark.parametrize("plant", [_mask_ignored, _first_pads_choose_the_label, _decoder_sees_pads])
def test_a_planted_fault_is_found(dtype: torch.dtype, plant: Callable[[PreTrainedModel], None]) -> None:
    model = build(dtype)
    plant(model)
    report = compare(model)
    assert report.status == "fail"
    assert "PAD405" in codes(report)
    assert str(report).startswith("FAIL: padding on either side changes the token log-likelihoods")


def test_pads_that_reach_the_text_are_named_as_the_cause() -> None:
    model = build(torch.float32)
    _mask_ignored(model)
    assert "PAD408" in codes(compare(model))


@every_dtype
@pytest.mark.parametrize("model_type", ["t5", "mt5", "umt5", "bart", "m2m_100", "mbart", "pegasus", "marian"])
def test_a_clean_family_passes(model_type: str, dtype: torch.dtype) -> None:
    report = compare(build(dtype, model_type))
    assert report.status == "pass", report
    # Positions that are slots are wrong on the left; such models are padded on the right.
    assert codes(report) <= ({"PAD405"} if model_type in ("bart", "mbart", "pegasus", "marian") else set())
    assert report.advice[0].line.endswith('padding_side="right", return_tensors="pt"), labels=labels).logits')


def test_log_likelihoods_are_those_of_the_labels_loss() -> None:
    model, tok = build(torch.float32), tokenizer()
    rows = compare(model).evidence.task.runs["alone"].rows
    pairs = [(text, choice) for text, own in zip(PROMPTS, CHOICES, strict=True) for choice in own]
    for row, (text, choice) in zip(rows, pairs, strict=True):
        labels = tok(choice, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            loss = model(**tok(text, return_tensors="pt", return_token_type_ids=False), labels=labels).loss.item()
        assert row.numbers["log-likelihood"] == pytest.approx(-loss * labels.shape[1], rel=1e-4)


def test_without_choices_there_is_nothing_to_score() -> None:
    with pytest.raises(UsageError, match="no prompt has a choice"):
        compare(build(torch.float32), choices=())


def test_a_choice_without_a_token_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="has no token"):
        compare(build(torch.float32), choices=((" ",), (), (), ()))


@pytest.mark.parametrize("task", [None, "generate", "train"])
def test_other_tasks_say_which_there_are(task: str | None) -> None:
    with pytest.raises(NotMeasuredError, match="or add --task score or --task classify or --task embed"):
        api.compare(build(torch.float32), tokenizer(), PROMPTS, task=task)


def test_a_classifier_does_not_score() -> None:
    model = build(torch.float32, "bart", AutoModelForSequenceClassification)
    with pytest.raises(NotMeasuredError, match="generates no text"):
        compare(model)


def test_a_model_type_and_a_saved_model_from_the_command_line(padcheck, tmp_path) -> None:
    continuations = tmp_path / "continuations.txt"
    continuations.write_text("1 2 3\n7\n")
    words = ("--task", "score", "--continuations", continuations, "--format", "json")
    found = padcheck("compare", "t5", "--tiny", *words)
    assert found.exit_code == 0
    assert found.report["arms"] == {}
    build(torch.float32).save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    saved = tmp_path / "report.json"
    found = padcheck("compare", tmp_path / "model", *words, "--output", saved)
    assert found.exit_code == 0
    again = padcheck("render", saved, "--padding-side", "left")
    assert again.exit_code == 0
    assert "left padding does not change the token log-likelihoods" in again.stdout


@pytest.mark.parametrize(
    ("words", "tasks"),
    [
        (("mamba", "--task", "classify"), "generate, score, embed"),
        (("t5",), "score, classify, embed"),
        (("deberta-v2", "--task", "score"), "classify, embed"),
    ],
    ids=["classify", "generate", "score"],
)
def test_a_model_type_without_a_class_for_the_task_says_for_which_it_has_one(padcheck, words, tasks) -> None:
    outcome = padcheck("compare", *words, "--tiny")
    assert outcome.exit_code == 3
    assert f"It has classes of it for {tasks}." in outcome.stderr
