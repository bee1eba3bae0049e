"""Runs a training step: planted faults are found with their cause, and clean families pass."""

import pytest
import torch
from zoo.families import FAMILIES, PROMPTS, tokenizer
from zoo.planting import DTYPES
from zoo.training import PLANTED_TRAINING, PlantedTraining

import padcheck as api

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
