"""padcheck.compare gives the same report as the command, and assert_ok() fails like the command does."""

import doctest
import subprocess
import sys

import pytest
import torch
import zoo
from msgspec.structs import replace
from transformers import AutoModelForCausalLM, AutoTokenizer

import padcheck as public
from padcheck import api
from padcheck.core import json_io
from padcheck.core.errors import UsageError
from padcheck.core.severity import Severity
from padcheck.demo import MODEL_FOLDER, load_prompts


@pytest.fixture(scope="module")
def demo():
    return AutoModelForCausalLM.from_pretrained(MODEL_FOLDER), AutoTokenizer.from_pretrained(MODEL_FOLDER)


def fault(name: str):
    return next(each for each in zoo.FAULTS if each.name == name).build(torch.float32)


def test_its_examples_run():
    found = doctest.testmod(api)
    assert found.attempted > 10
    assert found.failed == 0


def test_it_gives_the_same_report_as_the_command(demo, padcheck):
    report = public.compare(*demo, load_prompts())
    command = padcheck("compare", "demo", "--format", "json").report
    assert [finding.code for finding in report.findings] == [finding["code"] for finding in command["findings"]]
    assert report.status == command["status"]
    for name, comparison in report.comparisons.items():
        assert comparison.verdict == command["comparisons"][name]["verdict"]
        assert comparison.max_abs_diff == command["comparisons"][name]["max_abs_diff"]


def test_two_calls_differ_only_in_their_times(demo):
    first, second = (public.compare(*demo, max_new_tokens=3) for _ in range(2))
    assert first.seconds.keys() == second.seconds.keys()
    assert replace(first, seconds=second.seconds) == second


@pytest.mark.parametrize(
    "mode", [torch.enable_grad, torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__
)
def test_it_works_in_any_mode_of_grad(demo, mode):
    with mode():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        report = public.compare(*demo, max_new_tokens=2)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    assert report.status == "pass"
    assert all(arm.error is None for arm in report.evidence.runs.values())


def test_a_fault_fails_with_the_short_report():
    report = public.compare(fault("learned positions by slot"), zoo.tokenizer(), zoo.PROMPTS, max_new_tokens=3)
    with pytest.raises(AssertionError) as failed:
        report.assert_ok()
    assert str(failed.value) == str(report)
    assert str(report).startswith("FAIL: left padding changes what the model says")
    assert "PAD302" in str(report)


def test_a_report_without_a_measurement_does_not_pass(demo):
    report = public.compare(*demo, ["Monday Tuesday"], fail_on=None)
    with pytest.raises(AssertionError, match="NOT MEASURED"):
        report.assert_ok()
    assert "PAD901" in str(report)


def test_fail_on_decides_which_findings_fail(demo):
    strict = public.compare(*demo, max_new_tokens=2, fail_on="warning")
    assert strict.status == "fail"
    assert public.compare(*demo, max_new_tokens=2, fail_on=Severity.ERROR).status == "pass"
    lenient = public.compare(
        *demo, max_new_tokens=2, fail_on="warning", ignore=dict.fromkeys(["PAD1", "PAD2", "PAD4"], "known")
    )
    assert lenient.status == "pass"
    assert lenient.findings == ()


def test_it_is_saved_and_shown_like_any_other_report(demo, padcheck, tmp_path):
    report = public.compare(*demo, max_new_tokens=2)
    file = tmp_path / "report.json"
    file.write_text(json_io.dump(report), encoding="utf-8")
    assert padcheck("render", file, "--format", "json").stdout == file.read_text(encoding="utf-8")


def test_its_repr_is_one_line(demo):
    report = public.compare(*demo, max_new_tokens=2, select=["pad2"])
    assert repr(report).startswith(f"<padcheck.Report of {str(MODEL_FOLDER)!r}: PASS: left padding")
    assert "\n" not in repr(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": "one text"}, "prompts is a single text"),
        ({"select": "PAD2"}, "select is a single text"),
        ({"fail_on": "never"}, "fail_on is 'never'"),
        ({"task": "sing"}, "Use 'generate', 'score', 'train' or None"),
        ({"padding_side": "both"}, "Use 'left', 'right' or None"),
        ({"select": ["PAD999"]}, "PAD999 names no rule"),
        ({"max_new_tokens": 0}, "max-new-tokens is 0"),
        ({"pad_token": "<nothing>"}, "not in the vocabulary"),
    ],
    ids=str,
)
def test_the_error_for_a_wrong_option_says_what_is_right(demo, options, message):
    with pytest.raises(UsageError, match=message):
        public.compare(*demo, **options)


def test_importing_padcheck_imports_no_heavy_package():
    program = "import sys, padcheck, padcheck.pytest_plugin; print({'torch', 'rich', 'msgspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert not hasattr(public, "nothing")
    assert public.Report is api.Report
