"""Finds every planted fault of a classifier, on the side on which it is, with its cause; and nothing in clean ones."""

from collections.abc import Callable

import pytest
import torch
from zoo.families import PROMPTS, tokenizer
from zoo.heads import CLEAN_HEADS, PLANTED_HEADS, PlantedHead
from zoo.planting import DTYPES

import padcheck

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))


@every_dtype
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("planted", PLANTED_HEADS, ids=lambda planted: planted.name)
def test_a_planted_fault_is_found_on_its_side(planted: PlantedHead, side: str, dtype: torch.dtype) -> None:
    report = padcheck.compare(planted.build(dtype), tokenizer(), PROMPTS, task="classify", padding_side=side)
    codes = {finding.code for finding in report.findings}
    assert report.status == ("fail" if side in planted.sides else "pass"), report
    if side in planted.sides:
        assert planted.causes <= codes
    else:
        assert not codes & {"PAD405", "PAD407", "PAD408", "PAD409", "PAD411", "PAD412"}


@every_dtype
@pytest.mark.parametrize("build", CLEAN_HEADS.values(), ids=CLEAN_HEADS.keys())
def test_a_clean_classifier_passes_on_both_sides(build: Callable, dtype: torch.dtype) -> None:
    report = padcheck.compare(build(dtype), tokenizer(), PROMPTS, task="classify")
    assert report.status == "pass", report
    assert not {finding.code for finding in report.findings} & {"PAD405", "PAD407", "PAD408", "PAD409", "PAD412"}


def test_left_padding_of_an_encoder_reads_a_pad() -> None:
    report = padcheck.compare(_roberta(), tokenizer(), PROMPTS, task="classify", padding_side="left")
    assert {"PAD405", "PAD412"} <= {finding.code for finding in report.findings}
    assert padcheck.compare(_roberta(), tokenizer(), PROMPTS, task="classify", padding_side="right").status == "pass"


def _roberta():
    from transformers import AutoModelForSequenceClassification, RobertaConfig

    config = RobertaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        pad_token_id=0,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()
