"""Tests the local test hub with the real `huggingface_hub` client."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.client import RemoteDisconnected
from pathlib import Path

import pytest
from loopback_hub import SOON, Fault, LoopbackHub

Outcome = Callable[..., str]

INFO = """
from huggingface_hub import HfApi, constants
HfApi().model_info("tiny/model", timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
"""
CONFIG = "from huggingface_hub import hf_hub_download; hf_hub_download('tiny/model', 'config.json')"
WEIGHTS = "from huggingface_hub import hf_hub_download; hf_hub_download('tiny/model', 'model.safetensors')"
LOAD = """
from transformers import AutoConfig, AutoTokenizer
assert AutoConfig.from_pretrained("tiny/model").vocab_size == 3
assert AutoTokenizer.from_pretrained("tiny/model")("a b a")["input_ids"] == [1, 2, 1]
"""
# Each client program runs in a separate process, because the client reads its variables when it is imported.
MAIN = """
import sys
try:
    exec(sys.argv[1])
except Exception as error:
    print(type(error).__name__)
else:
    print("success")
"""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as server:
        yield server


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a config, a tokenizer of two words, and weights that are never loaded."""
    folder = tmp_path / "model"
    folder.mkdir()
    tokenizer: dict[str, object] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"?": 0, "a": 1, "b": 2}, "unk_token": "?"},
    }
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": 3}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (folder / "model.safetensors").write_bytes(bytes(1000))
    return folder


@pytest.fixture
def outcome(hub: LoopbackHub, tmp_path: Path) -> Outcome:
    """Runs a client program and returns "success" or the name of the exception's type."""

    def run(program: str, **variables: str) -> str:
        environ = hub.client_environ(tmp_path / "home") | variables
        command = [sys.executable, "-c", MAIN, program]
        client = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True, timeout=300)
        return client.stdout.strip()

    return run


def test_a_served_folder_loads(hub: LoopbackHub, model: Path, outcome: Outcome) -> None:
    hub.add("tiny/model", model)
    assert outcome(LOAD) == "success"
    assert any(request.startswith("GET") and request.endswith("/tokenizer.json") for request in hub.requests)


@pytest.mark.parametrize(
    ("fault", "info", "config"),
    [
        (Fault.NONE, "success", "success"),
        (Fault.GATED_401, "success", "GatedRepoError"),
        (Fault.GATED_403, "success", "GatedRepoError"),
        (Fault.INVALID_TOKEN, "HfHubHTTPError", "HfHubHTTPError"),
        (Fault.TRUNCATED, "success", "success"),
    ],
)
def test_an_answer_reaches_the_client(
    hub: LoopbackHub, model: Path, outcome: Outcome, *, fault: Fault, info: str, config: str
) -> None:
    hub.add("tiny/model", model, fault=fault)
    assert (outcome(INFO), outcome(CONFIG)) == (info, config)


# Only requests for model info: downloads are retried for up to six minutes, and no variable limits that.
@pytest.mark.parametrize(("fault", "info"), [(Fault.SERVER_ERROR, "HfHubHTTPError"), (Fault.STALL, "ReadTimeout")])
def test_a_hub_that_is_down_reaches_the_client(
    hub: LoopbackHub, model: Path, outcome: Outcome, fault: Fault, info: str
) -> None:
    hub.add("tiny/model", model, fault=fault)
    assert outcome(INFO, **(SOON if fault is Fault.STALL else {})) == info


def test_truncated_weights_never_arrive(hub: LoopbackHub, model: Path, outcome: Outcome, tmp_path: Path) -> None:
    hub.add("tiny/model", model, fault=Fault.TRUNCATED)
    # Version 0 of the client gives up immediately, later ones after a resume without new data.
    assert outcome(WEIGHTS) in ("ChunkedEncodingError", "RemoteProtocolError")
    assert not [path for path in tmp_path.glob("home/**/snapshots/**/*") if path.is_file()]


def test_an_unknown_repository_is_not_found(outcome: Outcome) -> None:
    assert outcome(INFO) == "RepositoryNotFoundError"
    assert outcome(CONFIG, HF_TOKEN="hf_token") == "RepositoryNotFoundError"


def test_an_unknown_file_is_not_found(hub: LoopbackHub, model: Path, outcome: Outcome) -> None:
    (model / "config.json").unlink()
    hub.add("tiny/model", model)
    assert outcome(CONFIG) in ("EntryNotFoundError", "RemoteEntryNotFoundError")


def test_closing_the_hub_releases_a_stalled_request(hub: LoopbackHub, model: Path) -> None:
    def close_when_asked() -> None:
        hub.requested.wait()
        hub.shutdown()

    hub.add("tiny/model", model, fault=Fault.STALL)
    threading.Thread(target=close_when_asked, daemon=True).start()
    with pytest.raises(RemoteDisconnected):
        urllib.request.urlopen(f"{hub.endpoint}/tiny/model/resolve/main/config.json", timeout=300)
