"""Quantized checkpoints are loaded as by transformers; there is no verdict if rows depend on their batch."""

from collections.abc import Callable
from pathlib import Path

import model_folders as folders
import pytest
import transformers
from conftest import Outcome
from model_folders import Builder
from transformers import LlamaConfig
from transformers.utils import is_bitsandbytes_available

from padcheck.hf.library.config_facts import quantization

FolderOf = Callable[[Builder], Path]
REASON = "LLM.int8 keeps a column in 16 bit if any row of the batch has an outlier in it"

on_a_cpu = pytest.mark.skipif(
    transformers.__version__ < "5" or not is_bitsandbytes_available(),
    reason="bitsandbytes runs on a CPU with transformers 5 and newer, if it is installed",
)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, ("bitsandbytes, LLM.int8", REASON)),
        (
            {"quant_method": "bitsandbytes", "load_in_8bit": True, "llm_int8_threshold": 0.0},
            ("bitsandbytes, LLM.int8", None),
        ),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, ("bitsandbytes, 4 bit", None)),
        ({"quant_method": "gptq", "bits": 8}, ("gptq, 8 bit", None)),
        ({"quant_method": "fp8"}, ("fp8", None)),
        (None, (None, None)),
    ],
)
def test_quantization_is_read_from_the_config(settings, found):
    config = LlamaConfig(**({} if settings is None else {"quantization_config": settings}))
    assert quantization(config) == found


@pytest.fixture(scope="module")
def folder(folder_of: FolderOf) -> Path:
    return folder_of(folders.quantized)


@on_a_cpu
def test_there_is_no_verdict_if_rows_depend_on_their_batch_by_construction(
    padcheck: Callable[..., Outcome], folder: Path
) -> None:
    outcome = padcheck("compare", folder, "--format", "json", "--max-new-tokens", 4)
    assert outcome.exit_code == 3
    report = outcome.report
    assert report["status"] == "not_measured"
    assert report["model"]["quantization"] == "bitsandbytes, LLM.int8"
    assert report["comparisons"]["left"]["verdict"] == "different"
    severities = {finding["code"]: finding["severity"] for finding in report["findings"]}
    assert severities["PAD206"] == "warning"
    assert not {"PAD201", "PAD205", "PAD301", "PAD302", "PAD303", "PAD305", "PAD402"} & set(severities)
    assert "bitsandbytes" not in outcome.stderr  # its warnings are in the report


@on_a_cpu
def test_a_toy_of_a_quantized_model_is_not_quantized(padcheck: Callable[..., Outcome], folder: Path) -> None:
    outcome = padcheck("compare", folder, "--tiny", "--format", "json", "--max-new-tokens", 2)
    assert outcome.exit_code == 0
    assert outcome.report["model"]["quantization"] is None
