"""stdout and stderr: what is escaped, and what happens if they are closed or full."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_in_process
from rich.console import Console

from padcheck.cli.app import app
from padcheck.cli.streams import safe_streams
from padcheck.running.shown_progress import Terminal

QUICK = ("compare", "demo", "--tiny", "--max-new-tokens", "2")
HOSTILE = "x\x1b[31mred\x07\x9b2J\u202e.txt"


def exit_code(*arguments: str, stdout: int = subprocess.DEVNULL, stderr: int = subprocess.DEVNULL) -> int:
    command = [sys.executable, "-m", "padcheck", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, check=False).returncode


@pytest.fixture(params=["closed by its reader", "full"])
def broken(request):
    """A file descriptor to which nothing can be written."""
    if request.param == "full":
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        written = os.open("/dev/full", os.O_WRONLY)
    else:
        read, written = os.pipe()
        os.close(read)
    yield written
    os.close(written)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("compare", "demo", "--nope"), 2),
        (("compare", "./nonexistent"), 3),
        (("check", "./nonexistent", "demo", "--tiny", "--baseline", "b.json", "--write-baseline"), 3),
        ((*QUICK, "--report", "json=x.json", "--verbose"), 0),
        ((*QUICK, "--fail-on", "info"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_broken_stderr_does_not_change_the_exit_code(tmp_path, monkeypatch, broken, arguments, expected):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    assert exit_code(*arguments, stderr=broken) == expected


def test_a_stdout_that_its_reader_closed_changes_nothing_and_a_full_one_is_an_error(broken):
    is_full = os.fstat(broken).st_rdev != 0
    for arguments, expected in ((("rules",), 0), (("--help",), 0), ((*QUICK, "--fail-on", "info"), 1)):
        assert exit_code(*arguments, stdout=broken) == (2 if is_full else expected)


def test_an_interrupted_import_ends_with_not_measured():
    program = """import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from padcheck.__main__ import main
main()"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "padcheck: Interrupted: nothing was measured.\n")


@pytest.mark.parametrize(("raised", "expected"), [(KeyboardInterrupt(), 3), (SystemExit(1), 2), (SystemExit(0), 0)])
def test_the_exit_codes_of_typer_become_those_of_padcheck(padcheck, monkeypatch, raised, expected):
    def callback():
        raise raised

    monkeypatch.setattr(app.registered_callback, "callback", callback)  # runs before the command
    assert padcheck("rules").exit_code == expected


def test_without_docstrings_every_command_says_why_it_cannot_run():
    for arguments in (("explain", "PAD101"), ("rules",), ("compare", "demo")):
        outcome = run_in_process(*arguments, PYTHONOPTIMIZE="2")
        assert (outcome.exit_code, "PYTHONOPTIMIZE" in outcome.stderr) == (2, True)


@pytest.mark.parametrize("columns", ["1", "-1", "nonsense"])
def test_a_terminal_of_any_width_gets_the_documentation(columns):
    for arguments in (("explain", "PAD101"), ("rules",)):
        assert run_in_process(*arguments, COLUMNS=columns).exit_code == 0


def test_a_library_cannot_act_on_the_terminal_and_its_progress_bars_can_move_the_cursor(capfd):
    with safe_streams():
        sys.stderr.write(HOSTILE + "\n")
        sys.stderr.write("\r 50%")
        sys.stderr.write("\x1b[A")
    text = capfd.readouterr().err
    assert text.startswith("x\\x1b[31mred\\x07\\x9b2J\\u202e.txt\n")
    assert text.endswith("\r 50%\x1b[A")


def test_progress_escapes_names_and_leaves_stderr_as_it_is():
    terminal, stderr = io.StringIO(), sys.stderr
    spinner = Terminal(Console(file=terminal, force_terminal=True))
    with spinner.stage(HOSTILE, "one"):
        assert sys.stderr is stderr
    with spinner.stage(HOSTILE, "two", downloads=True):
        assert sys.stderr is stderr
    with spinner.steps(HOSTILE, 2) as step:
        step(HOSTILE)
        assert sys.stderr is stderr
    assert "x\\x1b[31mred" in terminal.getvalue()
    assert not set("\x07\x9b\u202e") & set(terminal.getvalue())
    assert "x\x1b[31m" not in terminal.getvalue()
