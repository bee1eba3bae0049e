"""Folders that cannot be measured: exit code 3, one message that says what to change, and no prompt for input."""

import io
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import model_folders as folders
import pytest
import transformers
from conftest import Outcome, run_in_process
from model_folders import Builder

from padcheck.core.errors import NotMeasuredError
from padcheck.core.progress import Silent
from padcheck.core.settings import MeasureSettings
from padcheck.hf.library.limits import call_limited
from padcheck.hf.measure import measure_model

FolderOf = Callable[[Builder], Path]
Padcheck = Callable[..., Outcome]

UNREADABLE_BY_EITHER_COMMAND: dict[Builder, tuple[str, ...]] = {
    folders.without_anything: ("no config.json",),
    folders.config_that_is_no_json: ("config.json", "JSON"),
    folders.config_without_model_type: ("model_type", "config.json"),
    folders.unknown_model_type: ("llama_of_the_future", "upgrade transformers"),
    folders.own_model_code: ("its own Python code", "--trust-remote-code"),
    folders.own_tokenizer_code: ("its own Python code", "--trust-remote-code"),
    folders.without_tokenizer: ("no tokenizer", "--tokenizer"),
    folders.gpt2_without_tokenizer: ("no tokenizer", "--tokenizer"),
    folders.without_merges: ("tokenizer", "--tokenizer"),
    folders.broken_tokenizer: ("tokenizer", "cut off"),
    folders.tokenizer_that_is_a_pointer: ("tokenizer.model of", "is a Git LFS pointer"),
    folders.config_that_is_a_pointer: ("config.json of", "is a Git LFS pointer"),
    folders.adapter_without_a_base: ("does not name its base model", "base_model_name_or_path"),
    folders.adapter_that_is_no_json: ("not valid JSON", "cut off"),
    folders.adapter_whose_base_is_no_name: ("does not name its base model", "is not a name"),
    folders.adapter_of_an_adapter: ("is an adapter itself", "merge_and_unload"),
    folders.adapter_of_a_model_that_is_gone: ("no folder", "gone"),
    folders.encoder_decoder: ("t5", "encoder-decoder"),
    folders.encoder_only: ("bert", "encoder-only"),
}
UNREADABLE_WITH_WEIGHTS: dict[Builder, tuple[str, ...]] = {
    folders.without_weights: ("no weights", "model.safetensors", "--tiny"),
    folders.truncated_weights: ("weights", "cut off", "Download it again"),
    folders.truncated_pytorch_bin: ("weights", "cut off", "Download it again"),
    folders.weights_that_are_a_pointer: ("model.safetensors of", "is a Git LFS pointer"),
    folders.without_a_shard: ("model-00001-of-", "Download"),
    folders.weights_of_another_shape: ("shape", "config.json"),
    folders.weights_with_gaps: ("missing", "model.layers.2.", "config.json"),
    folders.config_of_a_larger_model: ("missing", "model.layers.10.", "config.json"),
    folders.base_checkpoint_with_gaps: ("missing", "h.2.", "config.json"),
    folders.weights_of_another_name: ("missing", "h.0.", "config.json"),
    folders.adapter_of_another_model: ("does not fit", "base_model_name_or_path"),
    folders.adapter_without_weights: ("is an adapter without weights", "adapter_model.safetensors"),
    folders.adapter_that_is_a_prompt: ("is a learned prompt", "its base model"),
    folders.fewer_rows_than_tokens: ("64 embedding rows", "tokenizer"),
}


def name_of(value: object) -> str | None:
    return getattr(value, "__name__", None)


def assert_explained(outcome: Outcome, words: tuple[str, ...]) -> None:
    """One line each for what happened, what it means and what to change; no traceback."""
    assert outcome.exit_code == 3, outcome.stderr
    assert outcome.stdout == ""
    message = outcome.stderr[outcome.stderr.index("padcheck: ") :]
    assert len(message.splitlines()) >= 2
    assert len(message) < 1500
    assert "Traceback" not in outcome.stderr
    assert "Upgrade transformers, or check the files" not in message
    for word in words:
        assert word in message


@pytest.fixture
def no_prompt_for_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answers "y" to any prompt for input, and checks that none was read."""
    stdin = io.StringIO("y\n" * 10)
    monkeypatch.setattr("sys.stdin", stdin)
    yield
    assert stdin.tell() == 0


@pytest.mark.parametrize("command", ["compare", "inspect-tokenizer"])
@pytest.mark.parametrize(("build", "words"), UNREADABLE_BY_EITHER_COMMAND.items(), ids=name_of)
@pytest.mark.usefixtures("no_prompt_for_input")
def test_neither_command_measures_what_it_cannot_load(
    command: str, build: Builder, words: tuple[str, ...], folder_of: FolderOf, padcheck: Padcheck
) -> None:
    folder = folder_of(build)
    before = folders.fingerprint(folder)
    assert_explained(padcheck(command, folder), (str(folder), *words))
    assert folders.fingerprint(folder) == before


@pytest.mark.parametrize(("build", "words"), UNREADABLE_WITH_WEIGHTS.items(), ids=name_of)
def test_compare_does_not_measure_weights_that_it_cannot_load(
    build: Builder, words: tuple[str, ...], folder_of: FolderOf, padcheck: Padcheck
) -> None:
    assert_explained(padcheck("compare", folder_of(build)), words)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")
@pytest.mark.skipif(transformers.__version__ < "5", reason="transformers 4 reserves the memory, and does not use it")
def test_no_memory_is_taken_for_weights_that_the_checkpoint_does_not_have(folder_of: FolderOf) -> None:
    """The config describes a model of 7 billion parameters; this process gets 1 GiB."""
    settings = MeasureSettings(model=str(folder_of(folders.config_of_a_larger_model)))
    with pytest.raises(NotMeasuredError, match="are missing from the checkpoint"):
        call_limited(partial(measure_model, settings, Silent()), seconds=60)


@pytest.mark.parametrize("build", UNREADABLE_WITH_WEIGHTS, ids=name_of)
def test_the_tokenizer_is_inspected_even_if_the_weights_are_bad(
    build: Builder, folder_of: FolderOf, padcheck: Padcheck
) -> None:
    outcome = padcheck("inspect-tokenizer", folder_of(build), "--format", "json")
    assert outcome.exit_code == (1 if build is folders.fewer_rows_than_tokens else 0)
    assert ("PAD113" in outcome.codes) == (build is folders.fewer_rows_than_tokens)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (folders.own_code_without_its_file, ("modeling_pocket.py",)),
        (folders.own_code_that_needs_a_package, ("attention_of_the_future", "Install")),
    ],
    ids=name_of,
)
def test_trusted_code_that_does_not_run(
    build: Builder, words: tuple[str, ...], folder_of: FolderOf, padcheck: Padcheck
) -> None:
    outcome = padcheck("compare", folder_of(build), "--trust-remote-code")
    assert_explained(outcome, words)
    assert "no weights" not in outcome.stderr


def test_tiny_measures_a_folder_without_weights(folder_of: FolderOf, padcheck: Padcheck) -> None:
    assert padcheck("compare", folder_of(folders.without_weights), "--tiny").exit_code == 0


def test_a_file_instead_of_a_folder(folder_of: FolderOf, padcheck: Padcheck) -> None:
    weights = folder_of(folders.tokenizer_json) / "model.safetensors"
    assert_explained(padcheck("compare", weights), ("model.safetensors is a file", "folder"))


def test_a_folder_that_does_not_exist(tmp_path: Path, padcheck: Padcheck) -> None:
    assert_explained(padcheck("compare", tmp_path / "nowhere"), ("There is no folder", "nowhere"))


@pytest.mark.parametrize("build", [folders.own_model_code, folders.truncated_weights], ids=name_of)
def test_a_real_process_ends_the_same_way(build: Builder, folder_of: FolderOf) -> None:
    assert_explained(run_in_process("compare", folder_of(build)), (str(folder_of(build)),))
