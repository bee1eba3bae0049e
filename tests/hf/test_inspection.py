"""Tokenizers that run forever, take all memory, panic, have no model or have bytes as tokens."""

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

import model_folders as folders
import pytest
from conftest import Outcome
from model_folders import Builder

FolderOf = Callable[[Builder], Path]
Padcheck = Callable[..., Outcome]

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits time and memory")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that never ends is stopped at once."""
    monkeypatch.setattr("padcheck.hf.inspection._TEMPLATE_SECONDS", 0.1)


@needs_limits
@pytest.mark.parametrize("command", ["compare", "inspect-tokenizer"])
@pytest.mark.usefixtures("impatient")
def test_a_chat_template_that_never_ends_is_stopped_and_the_rest_is_measured(
    command: str, folder_of: FolderOf, padcheck: Padcheck
) -> None:
    outcome = padcheck(command, folder_of(folders.chat_template_that_never_ends), "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    [warning] = outcome.report["load_warnings"]
    assert "chat template was stopped" in warning
    assert "longer than 0.1 seconds" in warning
    assert not multiprocessing.active_children()


@needs_limits
def test_a_chat_template_that_takes_all_memory_is_stopped(folder_of: FolderOf, padcheck: Padcheck) -> None:
    folder = folder_of(folders.chat_template_that_takes_all_memory)
    outcome = padcheck("inspect-tokenizer", folder, "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    [warning] = outcome.report["load_warnings"]
    assert "chat template was stopped" in warning
    assert "MiB of memory" in warning
    with_chat = padcheck("inspect-tokenizer", folder, "--chat")
    assert with_chat.exit_code == 3
    assert "was stopped while it encoded the prompts" in with_chat.stderr


@needs_limits
@pytest.mark.parametrize(
    ("build", "words"),
    [
        (folders.normalizer_that_takes_all_memory, "was stopped while it encoded the prompts"),
        (folders.normalizer_that_makes_long_text, "tokens of a prompt of 1 characters"),
        (folders.tokenizer_that_panics, "the Rust code panicked"),
    ],
)
def test_a_tokenizer_that_fails_on_a_text_is_not_measured(
    build: Builder, words: str, folder_of: FolderOf, padcheck: Padcheck
) -> None:
    outcome = padcheck("inspect-tokenizer", folder_of(build), "--prompt", "a")
    assert outcome.exit_code == 3
    assert words in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_check_measures_the_models_after_one_whose_tokenizer_panics(folder_of: FolderOf, padcheck: Padcheck) -> None:
    bad, good = folder_of(folders.tokenizer_that_panics), folder_of(folders.tokenizer_json)
    outcome = padcheck("check", bad, good, "--max-new-tokens", "2", "--format", "json")
    assert outcome.exit_code == 3
    assert [report["status"] for report in outcome.report["reports"]] == ["not_measured", "pass"]


def test_warnings_about_the_prompts_are_kept(folder_of: FolderOf, padcheck: Padcheck, tmp_path: Path) -> None:
    folders.edit_json(folders.tokenizer_json(tmp_path) / "tokenizer_config.json", model_max_length=3)
    report = padcheck("inspect-tokenizer", tmp_path, "--format", "json").report
    assert [text for text in report["load_warnings"] if "longer than the specified maximum sequence length" in text]


@pytest.mark.parametrize("build", [folders.tokenizer_alone, folders.without_config])
def test_a_tokenizer_without_a_config_is_inspected(build: Builder, folder_of: FolderOf, padcheck: Padcheck) -> None:
    folder = folder_of(build)
    inspected = padcheck("inspect-tokenizer", folder, "--format", "json")
    assert inspected.exit_code == 0, inspected.stderr
    assert inspected.report["model"]["architecture"] == "unknown"
    assert [text for text in inspected.report["load_warnings"] if "There is no config:" in text]
    compared = padcheck("compare", folder)
    assert compared.exit_code == 3
    assert "no config.json" in compared.stderr


def test_a_tokenizer_without_a_config_tokenizes_for_another_model(folder_of: FolderOf, padcheck: Padcheck) -> None:
    tokenizer, model = folder_of(folders.tokenizer_alone), folder_of(folders.tokenizer_json)
    outcome = padcheck("compare", model, "--tokenizer", tokenizer, "--max-new-tokens", "2")
    assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("command", ["compare", "inspect-tokenizer"])
def test_a_tokenizer_with_tokens_of_bytes(command: str, folder_of: FolderOf, padcheck: Padcheck) -> None:
    folder = folder_of(folders.tokenizer_with_tokens_of_bytes)
    asked = ("--trust-remote-code", "--pad-token", "<|endoftext|>", "--prompt", "aé", "--prompt", "b")
    outcome = padcheck(command, folder, *asked, "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["tokenizer"]["pad_token_used_id"] == 256
    row = outcome.report["samples"]["right"][0]
    assert row["tokens"] == ["a", "<0xC3>", "<0xA9>"]
    assert row["text"] == "aé"
