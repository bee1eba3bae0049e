"""The files that a command writes: no input and no file of a model is replaced, and each name is checked."""

import json
import os
import shutil

import pytest

from padcheck.demo import MODEL_FOLDER

TOO_LONG = "x" * 300
QUICK = ("--tiny", "--max-new-tokens", 2)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A folder with one file of each kind that a command reads."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(MODEL_FOLDER, "m")
    (tmp_path / "p.txt").write_text("one two\nthree\n")
    (tmp_path / "known.json").write_text('{"schema_version": 1, "findings": []}')
    (tmp_path / "padcheck.toml").write_text('models = ["demo"]\nbaseline = "known.json"\nprompts-file = "p.txt"\n')
    os.link("p.txt", "same.txt")
    (tmp_path / "link.json").symlink_to("padcheck.toml")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "arguments",
    [
        "check --format json -o known.json",
        "check --report json=padcheck.toml",
        "check --report json=link.json",
        "check --report json=p.txt",
        "check demo --baseline known.json -o ./m/../known.json",
        "compare --prompts p.txt -o p.txt",
        "compare --prompts p.txt -o same.txt",
        "compare m -o m/config.json",
        "compare m -o m/GENERATION_CONFIG.json",
        "compare m -o m/model.safetensors",
        "compare demo -o m/chat_template.jinja",
        "compare demo -o m/additional_chat_templates/rag.jinja",
        "compare demo --tokenizer m --report json=m/tokenizer.json",
        "inspect-tokenizer m -o m/tokenizer_config.json",
        "check m --baseline m/special_tokens_map.json --write-baseline",
        "render known.json -o known.json",
    ],
)
def test_an_input_and_a_file_of_a_model_are_never_replaced(padcheck, files, arguments):
    (files / "m" / "additional_chat_templates").mkdir()
    before = contents(files)
    outcome = padcheck(*arguments.split())
    assert outcome.exit_code == 2, outcome.stderr
    assert contents(files) == before


def test_the_configuration_may_not_name_itself_as_a_report(padcheck, files):
    text = 'models = ["demo"]\nreport = { json = "padcheck.toml" }\n'
    (files / "padcheck.toml").write_text(text)
    outcome = padcheck("check")
    assert (outcome.exit_code, "a file that this command reads" in outcome.stderr) == (2, True)
    assert (files / "padcheck.toml").read_text() == text


def test_a_report_beside_the_inputs_may_be_written_and_replaced(padcheck, files):
    for _ in range(2):
        arguments = ("--report", "json=m/report.json", "--report", "markdown=m/README.txt", "-o", "report.txt")
        assert padcheck("compare", "m", "--prompts", "p.txt", *QUICK, *arguments).exit_code == 0
    assert json.loads((files / "m" / "report.json").read_text())["command"] == "compare"
    assert padcheck("check", *QUICK, "--write-baseline", "--baseline", files / "known.json").exit_code == 0


def test_a_pipe_may_be_both_read_and_written(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "padcheck", "inspect-tokenizer", "demo", "--prompts", "-", "-o", "/dev/null"]
    done = subprocess.run(command, input=b"one\ntwo three\n", capture_output=True, check=False, cwd=MODEL_FOLDER)
    assert done.returncode == 0, done.stderr


def test_a_report_may_have_the_longest_name(padcheck):
    assert padcheck("inspect-tokenizer", "demo", "-o", "x" * 255).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("compare", f"./{TOO_LONG}"), 3),
        (("compare", TOO_LONG), 3),
        (("compare", "demo", "--tokenizer", f"./{TOO_LONG}"), 3),
        (("inspect-tokenizer", f"./{TOO_LONG}"), 3),
        (("check", f"./{TOO_LONG}", "./not-there"), 3),
        (("compare", "--output", TOO_LONG), 2),
        (("compare", "--report", f"json={TOO_LONG}"), 2),
        (("compare", "--output", "d/" * 3000 + "x"), 2),
        (("compare", "--prompts", TOO_LONG), 2),
        (("check", "--baseline", TOO_LONG), 2),
        (("check", "--baseline", TOO_LONG, "--write-baseline"), 2),
        (("check", "--config", TOO_LONG), 2),
        (("render", TOO_LONG), 2),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_a_name_that_no_file_can_have_is_no_bug(padcheck, arguments, expected):
    outcome = padcheck(*arguments)
    assert outcome.exit_code == expected, outcome.stderr


@pytest.mark.parametrize(
    "line",
    ['baseline = "a\\u0000b"', 'report = { json = "a\\u0000b" }', 'prompts-file = "a\\u0000b"', f"a = {'[' * 5000}"],
    ids=["baseline", "report", "prompts-file", "nested"],
)
def test_a_configuration_with_an_impossible_value_is_wrong_usage(padcheck, files, line):
    (files / "padcheck.toml").write_text(f'models = ["demo"]\n{line}\n')
    outcome = padcheck("check")
    assert outcome.exit_code == 2, outcome.stderr
