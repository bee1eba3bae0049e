"""`padcheck run --widen`: the program runs again with wider batches, and must say the same."""

import json

import pytest
from programs import LINE, LOADED, RIGHT, WRONG

DROPOUT = "import torch\ntorch.manual_seed(0)\nprint(torch.dropout(model(**batch).logits, 0.5, True)[:, 0])\n"
UNSTEADY = "import os, time\nprint(time.time_ns(), os.getpid())\n"


def test_a_program_that_says_something_else_is_reported_where_it_says_it(padcheck, script, tmp_path):
    name = script(UNSTEADY + WRONG)
    outcome = padcheck("run", "--widen", "3", "--fail-on", "warning", "--report", "json=run.json", name)
    assert outcome.exit_code == 1
    written = json.loads((tmp_path / "run.json").read_text())
    own, wide = written["findings"]
    assert (own["code"], own["line"]) == ("PAD501", LINE + 2)
    assert (wide["code"], wide["line"], wide["severity"]) == ("PAD523", LINE + 3, "warning")
    assert f"The first mistake found is PAD501 at my script.py:{LINE + 2}." in wide["message"]
    assert (written["widened"]["columns"], written["widened"]["batches"]) == (3, 1)
    assert written["widened"]["unsteady"] == 2
    assert written["widened"]["differences"][0]["said"]["label"] == "stdout line 2"
    assert padcheck("render", tmp_path / "run.json").exit_code == 1


def test_a_right_program_says_the_same(padcheck, script, tmp_path):
    name = script(RIGHT + "print(batch, model(**batch).logits[:, 0])\n")
    outcome = padcheck("run", "--widen", "3", "--report", "json=run.json", name)
    assert outcome.exit_code == 0
    assert "PASS" in outcome.stderr
    assert "3 more pad columns in 1 batches: 0 of " in outcome.stderr


@pytest.mark.parametrize(
    ("text", "exit_code", "says"),
    [
        ("print('hello')\n", 3, "no padded batch left a tokenizer"),
        ("open('seen', 'x').close()\n", 3, "unchanged, the program ended with 1: FileExistsError"),
        (
            LOADED + "model(**batch)\nassert batch.input_ids.shape[1] == 3, 'too wide'\n",
            0,
            "1: AssertionError: too wide",
        ),
        (LOADED + DROPOUT, 0, "decides how many random numbers are drawn"),
    ],
    ids=["no padded batch", "cannot run twice", "fails if wider", "dropout"],
)
def test_what_cannot_be_compared_is_said_and_is_no_finding(padcheck, script, text, exit_code, says):
    outcome = padcheck("run", "--widen", "3", script(text))
    assert outcome.exit_code == exit_code
    assert "PAD523" not in outcome.stderr
    assert says in " ".join(outcome.stderr.split())


def test_results_are_compared_too(padcheck, script):
    text = LOADED + (
        "import padcheck\n"
        "watched = padcheck.watch()\n"
        "watched.result('right', model(**batch).logits[:, 0])\n"
        "watched.result('wrong', {'last': model(**batch).logits[:, -1]})\n"
    )
    outcome = padcheck("run", "--widen", "2", script(text))
    assert outcome.exit_code == 1
    assert "(result wrong, column " in " ".join(outcome.stderr.split())
    assert "result right" not in outcome.stderr


def test_a_program_that_fails_runs_only_once(padcheck, script, tmp_path):
    outcome = padcheck("run", "--widen", "3", script("with open('runs', 'a') as file:\n    file.write('x')\n1 / 0\n"))
    assert outcome.exit_code == 1
    assert (tmp_path / "runs").read_text() == "x"


def test_several_processes_of_a_launcher_are_rejected(padcheck, script, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = padcheck("run", "--widen", "3", script("print('ran')\n"))
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
