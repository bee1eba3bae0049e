"""Measures embedders: bare models, and sentence-transformers folders with their own pooling."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModel
from zoo.families import PROMPTS, Build, build_family, tokenizer
from zoo.planting import DTYPES, Call, plant

import padcheck as api

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
FAMILIES = ("llama", "qwen2", "mistral", "opt", "bloom", "falcon", "gpt_neox", "gemma2", "mamba")
SYMPTOMS = {"PAD405", "PAD407", "PAD408", "PAD409", "PAD412"}


def embedder(dtype: torch.dtype = torch.float32, model_type: str = "llama"):
    return build_family(dtype, model_type, of=AutoModel.from_config)


def _no_mask(call: Call) -> dict[str, torch.Tensor]:
    return {"attention_mask": torch.ones_like(call.mask).long()}


def _batch_in_embeddings(dtype: torch.dtype):
    model = embedder(dtype)
    model.norm.register_forward_hook(lambda _module, _args, output: output + len(output) - 1)
    return model


def _mixes_slots(dtype: torch.dtype):
    model = embedder(dtype)
    model.norm.register_forward_hook(lambda _module, _args, output: output + output.mean(1, keepdim=True))
    return model


PLANTED: dict[str, tuple[Build, str, str]] = {
    "the mask is ignored": (lambda dtype: plant(embedder(dtype), _no_mask), "left", "PAD408"),
    "positions count pads": (partial(embedder, model_type="gpt2"), "left", "PAD407"),
    "the size of the batch": (_batch_in_embeddings, "right", "PAD409"),
    "all slots are mixed": (_mixes_slots, "right", "PAD408"),
}


@every_dtype
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_with_its_cause(name: str, dtype: torch.dtype) -> None:
    build, side, cause = PLANTED[name]
    report = api.compare(build(dtype), tokenizer(), PROMPTS, task="embed", padding_side=side)
    assert report.status == "fail", report
    assert cause in {finding.code for finding in report.findings}


@every_dtype
@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_clean_embedder_passes_on_both_sides(model_type: str, dtype: torch.dtype) -> None:
    report = api.compare(embedder(dtype, model_type), tokenizer(), PROMPTS, task="embed")
    codes = {finding.code for finding in report.findings}
    assert report.status == "pass", report
    assert not codes & SYMPTOMS
    assert "PAD421" in codes


def test_what_each_index_gives() -> None:
    task = api.compare(embedder(), tokenizer(), PROMPTS, task="embed").evidence.task
    cosines = {
        name: min(value for row in run.rows for value in row.numbers.values())
        for name, run in task.runs.items()
        if any(row.numbers for row in run.rows)
    }
    right = ("left", "right", "left_last_column", "right_mask_sum", "right_first_column")
    wrong = ("right_last_column", "left_mask_sum", "left_first_column", "left_all_slots", "right_all_slots")
    assert all(cosines[name] > 0.9999 for name in right)
    assert all(cosines[name] < 0.99 for name in wrong)
    alone, left = ({row.prompt_index: row.outcome for row in task.runs[name].rows} for name in ("alone", "left"))
    assert alone == left
    assert all(outcome.startswith("near ") for outcome in alone.values())


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedder")
    embedder().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def pooled(bare: Path, folder: Path, config: dict[str, object]) -> Path:
    """A sentence-transformers folder with this pooling."""
    for file in bare.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"))
    modules = [
        {"idx": i, "path": path, "type": f"sentence_transformers.models.{kind}"} for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, {"PAD405", "PAD412"}),
        ({"pooling_mode_mean_tokens": True}, set()),
        ({"pooling_mode_lasttoken": True}, set()),
        ({"pooling_mode": "max"}, set()),
        ({"pooling_mode_weightedmean_tokens": True}, {"PAD405"}),
        ({"pooling_mode": ["cls", "mean"]}, {"PAD405"}),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_the_pooling_of_a_sentence_transformers_folder(
    padcheck, bare: Path, tmp_path: Path, config: dict[str, object], codes: set[str]
) -> None:
    """Some poolings are wrong if pads are on the left, and all are right otherwise."""
    folder = pooled(bare, tmp_path, config)
    for side in ("left", "right"):
        words = ("--task", "embed", "--padding-side", side, "--format", "json")
        outcome = padcheck("compare", folder, "--prompt", PROMPTS[0], "--prompt", PROMPTS[3], *words)
        expected = codes if side == "left" else set()
        assert outcome.exit_code == (1 if expected else 0), outcome.stderr
        assert outcome.codes & SYMPTOMS >= expected
    assert outcome.report["task"]["pooling"]


@pytest.mark.parametrize("subfolder", ["0_Transformer", "models/encoder"])
def test_the_transformer_may_be_in_a_subfolder(padcheck, bare: Path, tmp_path: Path, subfolder: str) -> None:
    top = pooled(bare, tmp_path, {"pooling_mode": "mean"})
    (top / subfolder).mkdir(parents=True)
    for file in bare.iterdir():
        (top / file.name).rename(top / subfolder / file.name)
    modules = json.loads((top / "modules.json").read_text())
    modules[0]["path"] = subfolder
    (top / "modules.json").write_text(json.dumps(modules))
    outcome = padcheck("compare", top, "--task", "embed", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["task"]["pooling"] == ["mean"]
    assert outcome.report["model"]["weights"] == "pretrained"
    # For another task there is no config at the top.
    assert padcheck("compare", top).exit_code == 3


@pytest.mark.parametrize("config", [{"pooling_mode": "attention"}, {"pooling_mode_heap": True}, {}])
def test_an_unknown_pooling_is_not_measured(padcheck, bare: Path, tmp_path: Path, config: dict[str, object]) -> None:
    outcome = padcheck("compare", pooled(bare, tmp_path, config), "--task", "embed")
    assert outcome.exit_code == 3
    assert "does not know the pooling" in outcome.stderr


def test_modules_that_are_no_json_are_not_measured(padcheck, bare: Path, tmp_path: Path) -> None:
    (pooled(bare, tmp_path, {"pooling_mode": "mean"}) / "modules.json").write_text("{")
    outcome = padcheck("compare", tmp_path, "--task", "embed")
    assert outcome.exit_code == 3
    assert "not valid JSON" in outcome.stderr


@pytest.mark.parametrize(
    "model_type", ["bert", "roberta", "t5", "bart", "distilbert", "deberta", "deberta-v2", "qwen2"]
)
def test_model_types_at_toy_size(padcheck, model_type: str) -> None:
    outcome = padcheck("compare", model_type, "--tiny", "--task", "embed", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["task_comparisons"]["right"]["verdict"] in ("identical", "equivalent")
