"""Measures classifiers from folders and in memory, as a user does."""

import copy
import json
from pathlib import Path

import pytest
import torch
from model_folders import tokenizer_json
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from zoo.families import PROMPTS, tokenizer
from zoo.heads import classifier

import padcheck as api
from padcheck.core.errors import NotMeasuredError

TEXTS = ("--prompt", "a b c d e f", "--prompt", "a b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    classifier(torch.float32).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def test_a_classifier_from_a_folder(padcheck, folder: Path) -> None:
    outcome = padcheck("compare", folder, "--task", "classify", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    report = outcome.report
    assert report["arms"] == {}
    assert report["task"]["name"] == "classify"
    assert report["task"]["head"] == "pretrained"
    assert set(report["task_comparisons"]) > {"left", "right", "left_no_mask", "broken_mask"}
    alone, padded = (report["task"]["runs"][run]["rows"][1] for run in ("alone", "right"))
    assert list(alone["numbers"]) == ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert alone["read_at_token"] == padded["read_at_token"] == [alone["num_tokens"] - 1]


def test_a_head_with_random_weights_is_reported_and_repeatable(padcheck, folder_of) -> None:
    words = ("compare", folder_of(tokenizer_json), "--task", "classify", "--format", "json")
    first, second = (padcheck(*words) for _ in range(2))
    assert "PAD414" in first.codes
    assert first.report["task"]["head"] == "random"
    assert first.report["task"]["runs"] == second.report["task"]["runs"]


def test_other_missing_weights_are_not_measured(padcheck, folder: Path, tmp_path: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    weights = {name: value for name, value in model.state_dict().items() if "layers.1.mlp" not in name}
    model.save_pretrained(tmp_path, state_dict=weights)
    tokenizer().save_pretrained(tmp_path)
    outcome = padcheck("compare", tmp_path, "--task", "classify")
    assert outcome.exit_code == 3
    assert "weights of" in outcome.stderr


def test_without_the_task_an_encoder_points_to_it(padcheck, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    outcome = padcheck("compare", tmp_path)
    assert outcome.exit_code == 3
    assert "--task classify" in outcome.stderr


def test_a_model_type_without_a_classifier_is_one_message(padcheck, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    outcome = padcheck("compare", tmp_path, "--task", "classify")
    assert outcome.exit_code == 3
    assert "has no sequence classifier" in outcome.stderr


def test_texts_of_one_length_get_a_companion(padcheck, folder: Path) -> None:
    outcome = padcheck(
        "compare", folder, "--task", "classify", "--prompt", "five", "--prompt", "mat", "--format", "json"
    )
    evidence = json.loads(outcome.stdout)
    assert evidence["companion"] == 2
    pads = {row["prompt_index"]: row["num_pad_tokens"] for row in evidence["task"]["runs"]["right"]["rows"]}
    assert pads[0] == pads[1] > pads[2] == 0


def test_a_control_that_does_not_show_is_not_measured() -> None:
    model = classifier(torch.float32)
    torch.nn.init.zeros_(model.score.weight)
    report = api.compare(model, tokenizer(), PROMPTS, task="classify")
    assert report.status == "not_measured"
    assert "PAD903" in {finding.code for finding in report.findings}


def test_texts_that_raise_alone_are_not_measured() -> None:
    model = classifier(torch.float32)
    model.forward = lambda **_: 1 / 0
    report = api.compare(model, tokenizer(), PROMPTS, task="classify")
    assert report.status == "not_measured"
    [raised] = [finding for finding in report.findings if finding.code == "PAD902"]
    assert "ZeroDivisionError" in raised.message


def test_a_language_model_is_no_classifier() -> None:
    model = AutoModelForCausalLM.from_config(classifier(torch.float32).config)
    with pytest.raises(NotMeasuredError, match="not one row of class logits"):
        api.compare(model, tokenizer(), PROMPTS, task="classify")


def test_a_classifier_in_memory_stays_as_it_was() -> None:
    model, tok = classifier(torch.bfloat16, pad=None).train(), tokenizer()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    config, side = copy.deepcopy(model.config.to_dict()), tok.padding_side
    report = api.compare(model, tok, PROMPTS, task="classify")
    assert "PAD411" in {finding.code for finding in report.findings}
    assert model.training
    assert model.config.to_dict() == config
    assert tok.padding_side == side
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_pad_is_eos_and_the_head_skips_the_eos(padcheck, folder: Path, tmp_path: Path) -> None:
    model, tok = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    tok.pad_token = tok.eos_token
    model.config.pad_token_id = model.config.eos_token_id = tok.eos_token_id
    model.save_pretrained(tmp_path)
    tok.save_pretrained(tmp_path)
    assert "PAD413" in padcheck("compare", tmp_path, "--task", "classify", "--format", "json").codes


@pytest.mark.parametrize("fmt", ["table", "markdown", "html", "svg", "junit", "sarif", "github"])
def test_every_format_shows_it(padcheck, fmt: str) -> None:
    outcome = padcheck("compare", "bert", "--tiny", "--task", "classify", "--format", fmt, "--padding-side", "left")
    assert outcome.exit_code == 1, outcome.stderr
    assert "PAD412" in outcome.stdout


def test_a_saved_report_is_judged_again(padcheck, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    padcheck("compare", "bert", "--tiny", "--task", "classify", "--format", "json", "--output", file)
    assert padcheck("render", file).exit_code == 0
    assert padcheck("render", file, "--padding-side", "left").exit_code == 1
    assert padcheck("render", file, "--atol", 100, "--rtol", 0, "--padding-side", "left").exit_code == 3
    assert padcheck("render", file, "--task", "generate").exit_code == 3


@pytest.mark.parametrize("model_type", ["distilbert", "t5", "bart", "deberta-v2", "qwen2", "gpt_neo"])
def test_model_types_at_toy_size(padcheck, model_type: str) -> None:
    outcome = padcheck(
        "compare", model_type, "--tiny", "--task", "classify", "--format", "json", "--padding-side", "right"
    )
    assert outcome.exit_code in (0, 1), outcome.stderr
    assert outcome.report["task_comparisons"]["right"]["verdict"] in ("identical", "equivalent")


def test_check_takes_the_task_from_its_file(padcheck, folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "padcheck.toml"
    config.write_text(f'models = ["{folder}"]\ntask = "classify"\n')
    outcome = padcheck("check", "--config", config, "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["reports"][0]["task"]["name"] == "classify"


def test_without_any_pad_token_everything_is_measured_with_the_pad_id_set(padcheck) -> None:
    outcome = padcheck("compare", "demo", "--task", "classify", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert {"PAD101", "PAD405", "PAD407", "PAD411"} <= outcome.codes
    assert "PAD902" not in outcome.codes
    runs = outcome.report["task"]["runs"]
    assert [name for name, run in runs.items() if run["error"]] == ["left", "right"]
    assert runs["left_other_ids"]["reference"] == "left_pad_id"
    [advice] = outcome.report["advice"]
    assert "model.config.pad_token_id = tokenizer.pad_token_id" in advice["line"]


@pytest.mark.parametrize("option", [("--with", "static-cache"), ("--cross-limits",)])
def test_options_about_generating_are_a_usage_error(padcheck, folder: Path, option: tuple[str, ...]) -> None:
    outcome = padcheck("compare", folder, "--task", "classify", *option)
    assert (outcome.exit_code, "generates nothing" in outcome.stderr) == (2, True)


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_answer_shows_the_verdicts_and_the_most_telling_text(
    padcheck, monkeypatch: pytest.MonkeyPatch, folder: Path, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    lines = padcheck("compare", folder, "--task", "classify").stdout.splitlines()
    assert len(lines) <= 40
    assert any("class logits" in line and line.startswith(("PASS", "FAIL")) for line in lines)
    assert any(line.startswith("Task classify: class logits") for line in lines)
    assert sum(line.split()[1:2] == ["alone"] for line in lines) == 1
