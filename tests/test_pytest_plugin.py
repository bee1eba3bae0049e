"""The plugin, in a separate pytest process that does not load this project's tests."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from conftest import ROOT, Outcome

TESTS = """
import pytest
import torch
import zoo
from transformers import AutoModelForCausalLM, AutoTokenizer
from padcheck.demo import MODEL_FOLDER
from padcheck.errors import UsageError

MODEL = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
TOKENIZER = AutoTokenizer.from_pretrained(MODEL_FOLDER)
FAULT = next(each for each in zoo.FAULTS if each.name == "learned positions by slot")

def test_clean(padcheck):
    padcheck.assert_padding_invariant(MODEL, TOKENIZER)

def test_fault(padcheck):
    padcheck.assert_padding_invariant(FAULT.build(torch.float32), zoo.tokenizer(), zoo.PROMPTS)

def test_options(padcheck):
    padcheck.assert_padding_invariant(MODEL, TOKENIZER, ["Monday Tuesday", "five"], max_new_tokens=2, fail_on="warning")

def test_unmeasured(padcheck):
    padcheck.assert_padding_invariant(MODEL.base_model, TOKENIZER)

def test_wrong_usage(padcheck):
    with pytest.raises(UsageError):
        padcheck.assert_padding_invariant(MODEL, TOKENIZER, "one text")

def test_compare(padcheck):
    assert padcheck.compare(MODEL, TOKENIZER, max_new_tokens=2).findings
"""

TESTS_OF_A_CLASSIFIER = """
import torch
from zoo.families import PROMPTS, tokenizer
from zoo.heads import PLANTED_HEADS, classifier

FAULT = next(each for each in PLANTED_HEADS if each.name == "pools the last column")

def test_clean(padcheck):
    padcheck.assert_padding_invariant(classifier(torch.float32), tokenizer(), PROMPTS, task="classify")

def test_fault(padcheck):
    model = FAULT.build(torch.float32)
    padcheck.assert_padding_invariant(model, tokenizer(), PROMPTS, task="classify", padding_side="right")

def test_compare(padcheck):
    report = padcheck.compare(classifier(torch.float32), tokenizer(), PROMPTS, task="classify")
    assert report.task_comparisons["right"].verdict.within_rounding
"""


def run_pytest(folder: Path, *args: str) -> Outcome:
    """Runs pytest in a folder with only our plugin and pytest-xdist, also if our plugin is not installed."""
    plugins = ("-p", "padcheck.pytest_plugin", "-p", "xdist")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *args],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def results(folder: Path) -> dict[str, str]:
    """The failure of each test in junit.xml, by its name; empty if the test passed."""
    cases = ET.parse(folder / "junit.xml").iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": "".join(case.itertext()).strip() for case in cases}


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_models_without_any_test_file(tmp_path, processes):
    models = ("--padcheck", "demo", "--padcheck", "./nothing", "--padcheck=demo")
    ended = run_pytest(tmp_path, *models, *processes, "--junitxml=junit.xml")
    assert ended.exit_code == 1, ended
    assert "1 failed, 1 passed" in ended.stdout
    assert "___ padcheck::./nothing ___" in ended.stdout
    assert "FAILED padcheck::./nothing" in ended.stdout
    found = results(tmp_path)
    assert found.pop("padcheck::demo") == ""
    assert found == {
        "padcheck::./nothing": "NOT MEASURED: There is no folder ./nothing.\n"
        "  Check the path, or give a hub id such as gpt2."
    }


def test_the_settings_come_from_the_configuration(tmp_path):
    (tmp_path / "padcheck.toml").write_text('fail-on = "warning"\nmax-new-tokens = 2\nignore = { PAD1 = "known" }\n')
    ended = run_pytest(tmp_path, "--padcheck", "demo")
    assert ended.exit_code == 1, ended
    assert "FAIL by --fail-on warning: left padding changes nothing" in ended.stdout
    assert "2 new tokens" in ended.stdout
    assert "PAD202 warning" in ended.stdout
    assert "PAD1" not in ended.stdout
    assert "pytest_plugin.py" not in ended.stdout


def test_the_baseline_is_used(tmp_path):
    (tmp_path / "padcheck.toml").write_text(
        'fail-on = "warning"\nmax-new-tokens = 2\nselect = ["PAD106"]\nbaseline = "baseline.json"\n'
    )
    command = [sys.executable, "-m", "padcheck", "check", "demo", "--write-baseline", "--quiet"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True)
    ended = run_pytest(tmp_path, "--padcheck", "demo")
    assert ended.exit_code == 0, ended
    assert "1 passed" in ended.stdout


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_wrong_configuration_is_reported_before_any_test_runs(tmp_path, processes):
    (tmp_path / "padcheck.toml").write_text("max-tokens = 2\n")
    ended = run_pytest(tmp_path, "--padcheck", "demo", *processes)
    assert ended.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "padcheck.toml: unknown key max-tokens." in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    assert run_pytest(tmp_path).exit_code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_setting_that_does_not_work_on_this_machine_fails_the_model(tmp_path):
    (tmp_path / "padcheck.toml").write_text('device = "abacus"\n')
    ended = run_pytest(tmp_path, "--padcheck", "demo")
    assert ended.exit_code == 1
    assert "--device abacus cannot be used" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_models_are_selected_as_tests_are(tmp_path):
    (tmp_path / "test_other.py").write_text("def test_other(): pass\n")
    models = ("--padcheck", "demo", "--padcheck", "gpt2", "--collect-only", "-q")
    assert run_pytest(tmp_path, *models).stdout.splitlines()[:3] == [
        "test_other.py::test_other",
        "padcheck::demo",
        "padcheck::gpt2",
    ]
    selected = run_pytest(tmp_path, *models, "-k", "gpt2")
    assert selected.stdout.splitlines()[0] == "padcheck::gpt2"
    assert "1/3 tests collected (2 deselected)" in selected.stdout


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_the_fixture(tmp_path, processes):
    (tmp_path / "test_padding.py").write_text(TESTS)
    ended = run_pytest(tmp_path, *processes, "--padcheck", "demo", "--junitxml=junit.xml")
    assert ended.exit_code == 1, ended
    assert "3 failed, 4 passed" in ended.stdout
    failed = {name.rpartition("::")[2]: text for name, text in results(tmp_path).items() if text}
    assert failed.keys() == {"test_fault", "test_options", "test_unmeasured"}
    assert "E       AssertionError: FAIL: left padding changes what the model says" in failed["test_fault"]
    assert "PAD302 error" in failed["test_fault"]
    assert "E       AssertionError: FAIL by --fail-on warning: left padding changes nothing" in failed["test_options"]
    assert "E       AssertionError: NOT MEASURED: GPT2Model generates no text." in failed["test_unmeasured"]
    for text in failed.values():  # the line of the test, and no line of padcheck
        assert re.findall(r"^(\S+\.py):\d+:", text, re.MULTILINE) == ["test_padding.py"]


def test_the_fixture_with_a_task(tmp_path):
    (tmp_path / "test_classifier.py").write_text(TESTS_OF_A_CLASSIFIER)
    ended = run_pytest(tmp_path, "--junitxml=junit.xml")
    assert ended.exit_code == 1, ended
    failed = {name.rpartition("::")[2]: text for name, text in results(tmp_path).items() if text}
    assert failed.keys() == {"test_fault"}
    assert "AssertionError: FAIL: right padding changes the class logits" in failed["test_fault"]
    assert "PAD412 error" in failed["test_fault"]
