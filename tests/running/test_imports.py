"""Importing torch and transformers."""

import pytest
from conftest import run_in_process


@pytest.mark.parametrize("value", ["abc", "10.5"])
@pytest.mark.parametrize("command", ["inspect-tokenizer", "check"])
def test_an_environment_variable_that_a_library_rejects_is_named(command: str, value: str) -> None:
    outcome = run_in_process(command, "demo", HF_HUB_DOWNLOAD_TIMEOUT=value)
    assert outcome.exit_code == 2
    assert f"HF_HUB_DOWNLOAD_TIMEOUT has a value that cannot be used: {value}" in outcome.stderr
    assert "bug" not in outcome.stderr
