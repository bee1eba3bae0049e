"""Every option, file name and configuration key with hostile values: a promised exit code, and no escape sequence."""

import json
import random

import pytest
import typer

from padcheck.cli.app import app
from padcheck.cli.config_file import Section

ESCAPES = "x\x1b[31m\x07\x9b2J\u202e\udc9b"
VALUES = (ESCAPES, "", "x" * 300, "-1", "0", "nan", "1e999", "9" * 5000, "a,b=c", "\\", "true")
ACTS_ON_A_TERMINAL = set("\x1b\x07\x9b\u202e")

BASES = {
    "compare": ("demo", "--tiny", "--max-new-tokens", "1"),
    "inspect-tokenizer": ("demo",),
    "check": ("demo", "--tiny", "--max-new-tokens", "1"),
    "survey": ("no-such-type",),
    "render": ("report.json",),
}
OPTIONS = [
    (command, option.opts[0])
    for command, parsed in typer.main.get_command(app).commands.items()
    for option in parsed.params
    if command in BASES
    and option.opts[0].startswith("--")
    and not option.is_flag
    and option.name not in ("help", "ray")
]


def chosen(*key: str) -> list[str]:
    """The escape sequences, and two other values that depend only on the key."""
    return [ESCAPES, *random.Random(ascii(key)).sample(VALUES[1:], 2)]


def require_promised(outcome) -> None:
    assert outcome.exit_code in (0, 1, 2, 3), outcome.stderr
    assert not ACTS_ON_A_TERMINAL & set(outcome.stderr), outcome.stderr


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_report(tmp_path, monkeypatch, padcheck):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.json").write_text("{}")


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=" ".join)
def test_an_option(padcheck, command, option):
    for value in chosen(command, option):
        require_promised(padcheck(command, *BASES[command], f"{option}={value}"))


@pytest.mark.parametrize("command", [*BASES, "explain", "no-such-command"])
def test_an_argument(padcheck, command):
    for value in VALUES:
        require_promised(padcheck(command, "--", value))
        require_promised(padcheck(command, f"--x{value}"))


@pytest.mark.parametrize("key", [*Section.__struct_encode_fields__, ESCAPES])
def test_a_configuration_value(padcheck, tmp_path, key):
    texts = [json.dumps(value) for value in chosen(key)]
    for text in (*texts, r'"a\u0000b"', "-1", "nan", "9" * 30, "[[]]", "{ a = 1 }", "1979-05-27"):
        written = f'models = ["demo"]\ntiny = true\nmax-new-tokens = 1\n"{key}" = {text}\n'
        if key in ("models", "tiny", "max-new-tokens"):
            written = f"{key} = {text}\n"
        (tmp_path / "padcheck.toml").write_text(written, encoding="utf-8", errors="surrogateescape")
        require_promised(padcheck("check", "demo", "--tiny", "--max-new-tokens", "1"))


def test_file_names_in_the_messages(padcheck, tmp_path):
    name = ESCAPES.replace("\udc9b", "\n")
    arguments = ("--output", name, "--report", f"json={name}.json")
    written = padcheck("inspect-tokenizer", "demo", *arguments)
    assert (written.exit_code, written.stderr.count("\n")) == (0, 2)
    require_promised(written)
    (tmp_path / "padcheck.toml").write_text(f"models = ['demo']\nreport.json = {json.dumps(name)}\n")
    require_promised(padcheck("check"))
    for command in (("compare", "--prompts", name), ("render", name), ("check", "--baseline", name, "--config", name)):
        require_promised(padcheck(*command))


@pytest.mark.parametrize(
    "variable",
    ["HF_ENDPOINT", "HF_HUB_CACHE", "RANK", "WORLD_SIZE", "COLUMNS", "TERM", "_PADCHECK_COMPLETE", "PADCHECK"],
)
def test_an_environment_variable(padcheck, monkeypatch, variable):
    monkeypatch.setenv(variable, ESCAPES)
    require_promised(padcheck("inspect-tokenizer", "no/such-model"))
