"""Adapters are loaded on their base model, which the report names, and change what it generates."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import model_folders as folders
import pytest
from model_folders import Builder

FolderOf = Callable[[Builder], Path]


def new_texts(report: dict) -> list[str]:
    return [row["new_text"] for row in report["arms"]["single"]["rows"]]


def test_an_adapter_is_measured_on_its_base_model(padcheck, folder_of: FolderOf) -> None:
    folder = folder_of(folders.adapter)
    before = folders.fingerprint(folder)
    outcome = padcheck("compare", folder, "--format", "json", "--max-new-tokens", 4)
    assert outcome.exit_code == 0
    base = f"{folder}-base"
    model = outcome.report["model"]
    assert (model["id"], model["adapter_of"]) == (str(folder), base)
    assert model["architecture"] == "LlamaForCausalLM"
    plain = padcheck("compare", base, "--format", "json", "--max-new-tokens", 4).report
    assert plain["model"]["adapter_of"] is None
    assert model["num_parameters"] > plain["model"]["num_parameters"]
    assert new_texts(outcome.report) != new_texts(plain)
    assert folders.fingerprint(folder) == before


def test_the_table_names_the_base_model(padcheck, folder_of: FolderOf) -> None:
    outcome = padcheck("compare", folder_of(folders.adapter), "--max-new-tokens", 2)
    assert "adapter of" in outcome.stdout
    assert "adapter-base" in outcome.stdout.replace("\n", "") or "-base" in outcome.stdout


def test_the_tokenizer_of_an_adapter_is_inspected_without_peft(padcheck, folder_of: FolderOf, monkeypatch) -> None:
    without_peft(monkeypatch)
    outcome = padcheck("inspect-tokenizer", folder_of(folders.adapter), "--format", "json")
    assert outcome.exit_code == 0
    assert outcome.report["tokenizer"]["pad_token"] == "<pad>"


def test_the_tokenizer_of_the_adapter_is_preferred(padcheck, tmp_path: Path) -> None:
    folders.adapter(tmp_path)
    folders.save_tokenizer(tmp_path, pad_token="</s>")
    outcome = padcheck("inspect-tokenizer", tmp_path, "--format", "json")
    assert outcome.report["tokenizer"]["pad_token"] == "</s>"


def test_missing_peft_is_reported_before_the_weights_are_loaded(padcheck, folder_of: FolderOf, monkeypatch) -> None:
    without_peft(monkeypatch)
    monkeypatch.setattr("padcheck.hf.load.weights.auto_class", None)  # it would load the weights
    outcome = padcheck("compare", folder_of(folders.adapter))
    assert outcome.exit_code == 3
    assert "is an adapter, and peft is not installed" in outcome.stderr
    assert "pip install peft" in outcome.stderr


def test_tiny_is_refused_for_an_adapter(padcheck, folder_of: FolderOf) -> None:
    outcome = padcheck("compare", folder_of(folders.adapter), "--tiny")
    assert outcome.exit_code == 2
    assert "is an adapter" in outcome.stderr


def test_an_adapter_given_with_its_base_gives_the_same_result(padcheck, folder_of: FolderOf) -> None:
    folder = folder_of(folders.adapter)
    options = ("--format", "json", "--max-new-tokens", 4)
    alone = padcheck("compare", folder, *options).report
    added = padcheck("compare", f"{folder}-base", "--adapter", folder, *options).report
    model = added["model"]
    assert (model["id"], model["adapter"], model["adapter_of"]) == (f"{folder}-base", str(folder), None)
    assert alone["model"]["adapter"] is None
    assert new_texts(added) == new_texts(alone)
    assert model["num_parameters"] == alone["model"]["num_parameters"]


def test_an_adapter_given_with_a_base_does_not_need_to_name_it(padcheck, tmp_path: Path) -> None:
    folder = folders.adapter_without_a_base(tmp_path / "adapter")
    outcome = padcheck("compare", f"{folder}-base", "--adapter", folder, "--max-new-tokens", 2)
    assert outcome.exit_code == 0
    assert f"adapter: {folder}"[:60] in outcome.stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("model", "adapter", "says"),
    [
        ("{0}-base", "{0}-base", "is no adapter: it has no adapter_config.json"),
        ("{0}", "{0}", "which is an adapter itself"),
        ("llama", "{0}", "--adapter and --tiny exclude each other"),
    ],
)
def test_what_is_no_adapter_is_a_usage_error(
    padcheck, folder_of: FolderOf, model: str, adapter: str, says: str
) -> None:
    folder = folder_of(folders.adapter)
    tiny = ["--tiny"] if model == "llama" else []
    outcome = padcheck("compare", model.format(folder), "--adapter", adapter.format(folder), *tiny)
    assert outcome.exit_code == 2
    assert says in outcome.stderr


def without_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "peft" else find_spec(name))


def classifier_adapter(folder: Path, labels: int = 3) -> None:
    """An adapter of a base model without a classification head, which it brings itself."""
    import peft
    import torch
    from transformers import AutoModelForSequenceClassification

    base = folder.with_name("base")
    folders.tokenizer_json(base)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels)
    adapted = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj"]))
    with torch.no_grad():
        for number, parameter in enumerate(adapted.base_model.model.score.modules_to_save.default.weight):
            parameter.fill_(number + 1)
    adapted.save_pretrained(folder)


@pytest.mark.parametrize("labels", [1, 3])
def test_the_head_that_an_adapter_brings_is_not_random(padcheck, tmp_path: Path, labels: int) -> None:
    (tmp_path / "base").mkdir()
    folder = tmp_path / "adapter"
    classifier_adapter(folder, labels)
    outcome = padcheck("compare", folder, "--task", "classify", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    task = outcome.report["task"]
    assert task["head"] == "pretrained"
    assert "PAD414" not in outcome.codes
    numbers = list(task["runs"]["alone"]["rows"][0]["numbers"].values())
    assert numbers == pytest.approx([numbers[0] * (number + 1) for number in range(labels)], rel=1e-4)


def test_a_head_that_an_adapter_does_not_bring_is_random(padcheck, folder_of: FolderOf) -> None:
    outcome = padcheck("compare", folder_of(folders.adapter), "--task", "classify", "--format", "json")
    assert outcome.report["task"]["head"] == "random"
    assert "PAD414" in outcome.codes
