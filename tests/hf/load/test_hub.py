"""The real huggingface_hub client with a local hub that fails in every way that hubs fail."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import model_folders as folders
import pytest
from conftest import Outcome
from loopback_hub import SOON, Fault, LoopbackHub

from padcheck.demo import MODEL_FOLDER

CASES = {
    "org/good": Fault.NONE,
    "org/gated": Fault.GATED_401,
    "org/not-for-you": Fault.GATED_403,
    "org/bad-token": Fault.INVALID_TOKEN,
    "org/server-error": Fault.SERVER_ERROR,
    "org/stalls": Fault.STALL,
    "org/truncated": Fault.TRUNCATED,
    "org/trickles": Fault.TRICKLE,
    "org/trickling-files": Fault.TRICKLING_FILES,
    "org/no-etag": Fault.NO_ETAG,
}


def run_against(hub: LoopbackHub, home: Path, *command_lines: list[str], **environ: str) -> list[Outcome]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[2] / "support" / "command_lines.py")],
        input=json.dumps(command_lines),
        env=hub.client_environ(home) | {"OMP_NUM_THREADS": "1"} | environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return [Outcome(**outcome) for outcome in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The outcomes for a good repository and for each kind of failure."""
    with LoopbackHub() as hub:
        for repo_id, fault in CASES.items():
            hub.add(repo_id, MODEL_FOLDER, fault=fault)
        names = [*CASES, "org/unknown", "org/good@v9"]
        # Only if no answer comes to an end, the client gives up soon: on a slow machine, any answer takes its time.
        endless = {Fault.STALL, Fault.TRICKLE, Fault.TRICKLING_FILES}
        unanswered = [name for name in names if CASES.get(name) in endless]
        answered = [name for name in names if name not in unanswered]
        home = tmp_path_factory.mktemp("home")
        outcomes = [
            *run_against(hub, home, *map(_command_line, answered)),
            *run_against(hub, home, *map(_command_line, unanswered), **SOON),
        ]
        return dict(zip((*answered, *unanswered), outcomes, strict=True))


def _command_line(name: str) -> list[str]:
    quick = ["--max-new-tokens", "2", "--format", "json", "--prompt", "one", "--prompt", "one two"]
    return ["compare", *_named(name), *quick]


def _named(name: str) -> list[str]:
    repo_id, _, revision = name.partition("@")
    return [repo_id, "--revision", revision] if revision else [repo_id]


def test_a_model_is_downloaded_and_measured_at_the_commit_that_the_hub_returns(outcomes):
    good = outcomes["org/good"]
    assert good.exit_code == 0, good.stderr
    assert len(good.report["model"]["revision"]) == 40
    assert good.report["comparisons"]["left"]["verdict"] in ("identical", "equivalent")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("org/unknown", "neither a local folder nor a model on the hub"),
        ("org/gated", "is gated"),
        ("org/not-for-you", "is gated"),
        ("org/bad-token", "refused the token"),
        ("org/server-error", "server error"),
        ("org/stalls", "does not answer"),
        ("org/truncated", "broke off"),
        ("org/trickles", "timed out"),
        ("org/trickling-files", "timed out"),
        ("org/no-etag", "does not have an ETag"),
        ("org/good@v9", "has no revision v9"),
    ],
)
def test_each_failure_gets_one_message_and_is_not_measured(outcomes, name, words):
    outcome = outcomes[name]
    assert outcome.exit_code == 3
    assert words in outcome.stderr
    assert outcome.stderr.startswith("padcheck: ")
    assert len(outcome.stderr.strip().split("\n")) == 3, "what happened, what it means, what to change"
    assert not outcome.stdout


def test_a_cached_model_is_measured_when_the_hub_does_not_answer(tmp_path):
    command = ["inspect-tokenizer", "org/good", "--format", "json"]
    with LoopbackHub() as hub:
        hub.add("org/good", MODEL_FOLDER)
        assert run_against(hub, tmp_path, command)[0].exit_code == 0
        hub.add("org/good", MODEL_FOLDER, fault=Fault.STALL)
        stalled = run_against(hub, tmp_path, command, **SOON)[0]
        offline, uncached = run_against(hub, tmp_path, command, ["compare", "org/other"], HF_HUB_OFFLINE="1")
    for outcome in (stalled, offline):
        assert outcome.exit_code == 0, outcome.stderr
        assert len(outcome.report["model"]["revision"]) == 40
    assert uncached.exit_code == 3
    assert "offline mode is on" in uncached.stderr


def test_an_unreachable_hub_is_distinguished_from_an_unknown_model(tmp_path):
    with LoopbackHub() as hub:
        closed = hub.endpoint
    outcome = run_against(hub, tmp_path, ["compare", "org/good"], HF_ENDPOINT=closed)[0]
    assert outcome.exit_code == 3
    assert "cannot be reached" in outcome.stderr


def test_missing_weights_are_an_error_only_if_they_are_needed(tmp_path):
    folder = tmp_path / "no-weights"
    shutil.copytree(MODEL_FOLDER, folder)
    (folder / "model.safetensors").unlink()
    with LoopbackHub() as hub:
        hub.add("org/no-weights", folder)
        tiny, whole, inspected = run_against(
            hub,
            tmp_path / "home",
            ["compare", "org/no-weights", "--tiny", "--max-new-tokens", "1"],
            ["compare", "org/no-weights"],
            ["inspect-tokenizer", "org/no-weights"],
        )
        downloads = [request for request in hub.requests if "safetensors" in request and request.startswith("GET")]
    assert (tiny.exit_code, whole.exit_code, inspected.exit_code) == (0, 3, 0), whole.stderr
    assert "no weights" in whole.stderr
    assert not [request for request in downloads if "resolve" in request]


def test_an_adapter_and_its_base_model_come_from_two_repositories(tmp_path):
    adapter, base = tmp_path / "adapter", tmp_path / "adapter-base"
    adapter.mkdir()
    folders.adapter(adapter)
    folders.edit_json(adapter / "adapter_config.json", base_model_name_or_path="org/base")
    command_line = ["compare", "org/adapter", "--max-new-tokens", "2", "--format", "json"]
    with LoopbackHub() as hub:
        hub.add("org/adapter", adapter)
        hub.add("org/base", base)
        [online] = run_against(hub, tmp_path / "home", command_line)
    assert online.exit_code == 0, online.stderr
    assert (online.report["model"]["id"], online.report["model"]["adapter_of"]) == ("org/adapter", "org/base")
    # Both are in the cache now, so the hub is not needed.
    [offline] = run_against(hub, tmp_path / "home", command_line, HF_HUB_OFFLINE="1")
    assert offline.exit_code == 0, offline.stderr
    assert offline.report["arms"]["left"] == online.report["arms"]["left"]


def test_a_gguf_file_is_downloaded_and_found_again_without_the_hub(tmp_path):
    gguf_files = pytest.importorskip("gguf_files", reason="the package gguf is not installed")
    one, several = tmp_path / "one", tmp_path / "several"
    one.mkdir()
    file = gguf_files.write_llama(one / "small.gguf")
    several.mkdir()
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(file, several / name)
    short = ["--max-new-tokens", "2", "--format", "json"]
    named = ["compare", "org/several", "--gguf-file", "b.gguf", *short]
    with LoopbackHub() as hub:
        hub.add("org/one", one)
        hub.add("org/several", several)
        only, chosen, open_choice, gone = run_against(
            hub,
            tmp_path / "home",
            ["compare", "org/one", *short],
            named,
            ["compare", "org/several"],
            ["compare", "org/several", "--gguf-file", "gone.gguf"],
        )
        assert not [request for request in hub.requests if request.startswith("GET") and "a.gguf" in request]
        offline, uncached = run_against(
            hub,
            tmp_path / "home",
            named,
            ["compare", "org/several", "--gguf-file", "a.gguf"],
            HF_HUB_OFFLINE="1",
        )
    for outcome, name in ((only, "small.gguf"), (chosen, "b.gguf"), (offline, "b.gguf")):
        assert outcome.exit_code == 0, outcome.stderr
        assert outcome.report["model"]["gguf_file"] == name
        assert len(outcome.report["model"]["revision"]) == 40
    assert (open_choice.exit_code, gone.exit_code, uncached.exit_code) == (3, 2, 3)
    assert "a.gguf, b.gguf" in open_choice.stderr
    assert "has no file gone.gguf" in gone.stderr
    assert "offline mode is on" in uncached.stderr


def test_a_gguf_file_on_the_hub_is_not_confused_with_one_in_the_current_folder(tmp_path, monkeypatch):
    gguf_files = pytest.importorskip("gguf_files", reason="the package gguf is not installed")
    repository, here = tmp_path / "repository", tmp_path / "here"
    for folder in (repository, here):
        folder.mkdir()
        gguf_files.write_llama(folder / "small.gguf")
    monkeypatch.chdir(here)
    with LoopbackHub() as hub:
        hub.add("org/one", repository)
        outcome = run_against(hub, tmp_path / "home", ["compare", "org/one", "--gguf-file", "small.gguf"])[0]
    assert outcome.exit_code == 2
    assert "./small.gguf" in outcome.stderr
