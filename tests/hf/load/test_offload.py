"""Weights in CPU memory and on disk: the report is the same as with all of them in memory; no files are left."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from model_folders import Builder, pytorch_bin, tokenizer_json
from transformers import AutoModelForCausalLM

from padcheck.core.progress import Silent
from padcheck.core.report import Report
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.hf.library.devices import input_device
from padcheck.hf.load.weights import load_model
from padcheck.hf.load.without_weights import load_without_weights
from padcheck.running.one_model import compare

FolderOf = Callable[[Builder], Path]
IN_MEMORY = dict.fromkeys(
    ("model.embed_tokens", "model.rotary_emb", "model.layers.0", "model.layers.1", "model.norm", "lm_head"), "cpu"
)
LAST_LAYER = IN_MEMORY | {"model.layers.1": "disk"}


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def measured(folder: Path, places: dict[str, str] | None) -> Report:
    settings = MeasureSettings(model=str(folder), max_new_tokens=3, thorough=True, device_map=places)
    return compare(settings, JudgeSettings(), Silent())


@pytest.mark.parametrize(
    ("build", "places", "device"),
    [
        (tokenizer_json, LAST_LAYER, "cpu, disk"),
        (pytorch_bin, LAST_LAYER, "cpu, disk"),
        (tokenizer_json, IN_MEMORY | {"model.embed_tokens": "disk"}, "disk, cpu"),
        (tokenizer_json, {"": "disk"}, "disk"),
    ],
    ids=["a layer", "rewritten", "the embedding", "everything"],
)
def test_the_report_is_the_same_as_for_a_model_in_memory(build, places, device, folder_of: FolderOf, temporary) -> None:
    report, plain = measured(folder_of(build), places), measured(folder_of(build), None)
    assert report.evidence.model.device == device
    assert report.status == plain.status == "pass"
    assert {name: one.verdict for name, one in report.comparisons.items()} == {
        name: one.verdict for name, one in plain.comparisons.items()
    }
    assert [one.code for one in report.findings] == [one.code for one in plain.findings]
    for name, run in report.evidence.runs.items():
        assert (run.error, run.rows) == (plain.evidence.runs[name].error, plain.evidence.runs[name].rows)
    assert report.evidence.noise["rounding_errors"].error is None
    assert not list(temporary.glob("padcheck-*"))


def test_auto_puts_weights_on_disk_that_do_not_fit_into_memory(folder_of: FolderOf, padcheck, monkeypatch) -> None:
    folder = folder_of(tokenizer_json)
    size = AutoModelForCausalLM.from_pretrained(folder).get_memory_footprint()
    monkeypatch.setattr("accelerate.utils.modeling.get_max_memory", lambda _given=None: {"cpu": size // 2})
    # Versions of transformers import it into different modules.
    own = "transformers.modeling_utils" if transformers.__version__ < "5" else "transformers.integrations.accelerate"
    monkeypatch.setattr(f"{own}.get_max_memory", lambda _given=None: {"cpu": size // 2})
    outcome = padcheck("compare", folder, "--device-map", "auto", "--max-new-tokens", 3, "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["model"]["device"] == "cpu, disk"


def test_inputs_go_to_the_device_that_the_weights_are_loaded_to(folder_of: FolderOf) -> None:
    settings = MeasureSettings(model=str(folder_of(tokenizer_json)), device_map={"": "disk"})
    loaded = load_without_weights(settings)
    model = load_model(loaded, settings).model
    assert model.device.type == "meta"
    assert input_device(model) == torch.device("cpu")
