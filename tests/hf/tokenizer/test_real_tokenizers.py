"""The example that padcheck started from, with the real tokenizers of GPT-2 and Llama 2."""

import pytest
from conftest import needs_real_hub

pytestmark = needs_real_hub

PADDED = [[14261, 8593, 29373, 1936, 11241, 6152, 220], [79, 29373, 1115, 11241, 220, 50256, 50256]]


@pytest.fixture
def gpt2(padcheck):
    outcome = padcheck("compare", "gpt2", "--tiny", "--max-new-tokens", 3, "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


def test_gpt2_is_padded_and_numbered_as_calculated_by_hand(gpt2):
    runs = gpt2.report["arms"]
    right, left = runs["right"]["rows"], runs["left"]["rows"]
    assert [row["input_ids"][:7] for row in right] == PADDED
    assert right[1]["attention_mask"] == [1, 1, 1, 1, 1, 0, 0, 1, 1, 1]
    assert right[1]["position_ids_from_mask"] == [0, 1, 2, 3, 4, 1, 1, 5, 6, 7]
    assert left[1]["attention_mask"] == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert left[1]["position_ids_from_mask"] == [1, 1, 0, 1, 2, 3, 4, 5, 6, 7]


def test_the_positions_that_forward_received_are_those_of_the_installed_transformers(gpt2):
    """Since transformers 5.0, the new tokens of a right-padded row are numbered from its last column, a pad."""
    from transformers import __version__

    rows = {run: gpt2.report["arms"][run]["rows"][1]["position_ids"] for run in ("single", "left", "right")}
    pads, decoded = ([0, 0], [1, 2]) if int(__version__.split(".")[0]) >= 5 else ([1, 1], [5, 6])
    assert rows["single"] == [0, 1, 2, 3, 4, 5, 6, None]
    assert rows["left"] == [*pads, 0, 1, 2, 3, 4, 5, 6, None]
    assert rows["right"] == [0, 1, 2, 3, 4, *pads, *decoded, None]


def test_the_warning_of_transformers_appears_only_in_the_right_run(gpt2):
    warnings = {run: evidence["warnings"] for run, evidence in gpt2.report["arms"].items()}
    assert [text for text in warnings["right"] if "right-padding was detected!" in text]
    assert not warnings["left"]
    assert not warnings["single"]
    assert "right-padding" not in gpt2.stderr


def test_gpt2_has_the_usual_findings(gpt2):
    assert gpt2.codes == {"PAD101", "PAD106", "PAD202", "PAD203", "PAD401", "PAD403"}


def test_llama_2_is_inspected_without_weights(padcheck):
    outcome = padcheck(
        "inspect-tokenizer",
        "meta-llama/Llama-2-7b-hf",
        "--prompt",
        "hello llama",
        "--prompt",
        "who are you?",
        "--format",
        "json",
    )
    report = outcome.report
    assert outcome.exit_code == 0
    assert report["special_token_ids"]["tokenizer"] == {"pad": None, "bos": 1, "eos": [2]}
    assert report["special_token_ids"]["generation_config"]["pad"] == 0
    assert report["tokenizer"]["bos_token"] == "<s>"
    assert report["tokenizer"]["eos_token"] == "</s>"
    assert report["tokenizer"]["padding_side"] == "right"
    assert report["tokenizer"]["model_max_length"] is None
    assert report["generation_config"]["max_length"] == 4096
    rows = report["samples"]["right"]
    assert [row["input_ids"] for row in rows] == [[1, 22172, 11148, 3304, 2], [1, 1058, 526, 366, 29973]]
    assert {"PAD101", "PAD105", "PAD106", "PAD112"} == outcome.codes


def test_the_revision_is_the_commit_in_the_cache(gpt2):
    assert gpt2.report["model"]["revision"] == "607a30d783dfa663caf39e06633721c8d4cfcd7e"


def test_sampling_in_generation_config_is_switched_off_and_reported(padcheck):
    outcome = padcheck("compare", "meta-llama/Llama-2-7b-hf", "--tiny", "--max-new-tokens", 2, "--format", "json")
    assert outcome.report["overridden"] == {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "max_length": 4096}
    assert outcome.report["comparisons"]["left"]["verdict"] in ("identical", "equivalent")
