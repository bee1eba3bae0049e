"""A value of the wrong type in one of a model's JSON files: measured if it does not matter, otherwise exit code 3."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import model_folders as folders
import pytest
from conftest import Outcome

Padcheck = Callable[..., Outcome]

OTHER_KEYS = {
    "config.json": ["quantization_config", "rope_scaling", "text_config", "auto_map", "layer_types", "vision_config"],
    "tokenizer_config.json": ["model_max_length", "truncation_side", "added_tokens_decoder", "chat_template"],
    "generation_config.json": ["max_length", "forced_bos_token_id", "stop_strings", "cache_config", "temperature"],
    "special_tokens_map.json": ["pad_token", "eos_token", "additional_special_tokens"],
}
VALUES = [5, -1, 10.5, "x", "", True, None, [], [1], ["x", None], {}, {"a": 1}, 10**30]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folders.chat_template_without_bos(tmp_path)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("config", "architectures", 5),
        ("config", "text_config", {"a": 1}),
        ("config", "quantization_config", {"load_in_8bit": True, "llm_int8_threshold": "x"}),
        ("tokenizer", "model_max_length", "x"),
        ("generation_config", "eos_token_id", {}),
        ("generation_config", "bos_token_id", "x"),
    ],
)
def test_the_message_names_the_key(part: str, key: str, value: object, folder: Path, padcheck: Padcheck) -> None:
    file = "tokenizer_config.json" if part == "tokenizer" else f"{part}.json"
    folders.edit_json(folder / file, **{key: value})
    outcome = padcheck("inspect-tokenizer", folder)
    assert outcome.exit_code == 3
    assert f"The {part} of {folder} has a value of the wrong type" in outcome.stderr
    assert f"$.{key}" in outcome.stderr


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [("tokenizer_config.json", "model_max_length", 64.5), ("config.json", "vocab_size", -5)],
)
def test_a_report_on_an_odd_value_can_be_read_back(
    file: str, key: str, value: object, folder: Path, padcheck: Padcheck
) -> None:
    folders.edit_json(folder / file, **{key: value})
    written = folder.parent / "report.json"
    outcome = padcheck("inspect-tokenizer", folder, "--format", "json", "--output", written)
    assert outcome.exit_code in (0, 1)
    assert padcheck("render", written).exit_code == outcome.exit_code


def test_what_the_tokenizer_prints_stays_out_of_the_report(folder: Path, padcheck: Padcheck) -> None:
    unknown = {"0": {"content": "<pad>", "special": True, "x\x1b[31m": 1}}
    folders.edit_json(folder / "tokenizer_config.json", added_tokens_decoder=unknown)
    outcome = padcheck("inspect-tokenizer", folder, "--format", "json")
    assert any("x\x1b[31m" in each for each in outcome.report["load_warnings"])
    assert "\x1b" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("file", OTHER_KEYS)
def test_no_wrong_value_is_a_bug_in_padcheck(file: str, folder: Path, padcheck: Padcheck) -> None:
    chosen = random.Random(0)
    path = folder / file
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for key in (*content, *OTHER_KEYS[file]):
        value = chosen.choice(VALUES)
        folders.write_json(path, content | {key: value})
        outcome = padcheck("inspect-tokenizer", folder)
        assert outcome.exit_code in (0, 1, 3), f"{key} = {value!r}: {outcome.stderr}"
