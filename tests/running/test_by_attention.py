"""`compare --attn-implementation all`: one model with each attention implementation, in one table."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
import torch
from conftest import run_in_process

from padcheck.hf.runs import attention

QUICK = ("--max-new-tokens", "2", "--prompt", "one two three four five six", "--prompt", "one")
ALL = ("--attn-implementation", "all")


@pytest.fixture(scope="module")
def outcome():
    return run_in_process("compare", "demo", *QUICK, *ALL, "--format", "json")


def test_each_implementation_has_a_report_and_the_default_comes_first(outcome):
    assert outcome.exit_code == 0
    reports = outcome.report["reports"]
    assert [report["model"]["attn_implementation"] for report in reports] == ["sdpa", "eager"]
    for report in reports:
        assert report["model"]["attn_implementations"] == ["eager", "sdpa"]
        assert report["comparisons"]["left"]["verdict"] in ("identical", "equivalent")
        assert report["comparisons"]["right"]["verdict"] == "different"
    assert [report["settings"].get("attn_implementation") for report in reports] == [None, "eager"]


def test_one_table_compares_them(padcheck):
    lines = padcheck("compare", "demo", *QUICK, *ALL).stdout.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("Side by side")))
    assert " ".join(lines[start + 1].split()).startswith("run dtype attention left right")
    rows = [line.split() for line in lines[start + 2 :] if line.startswith(("sdpa", "eager"))]
    assert [(*row[:4], row[5]) for row in rows] == [
        (way, "float32", way, "equivalent", "different") for way in ("sdpa", "eager")
    ]
    assert lines[-1] == "PASS: 2 runs, 2 passed"
    assert any(line.startswith("padcheck compare demo (eager) ") for line in lines)
    assert not any(line.startswith("padcheck check") for line in lines)


def test_every_format_names_them(padcheck, tmp_path):
    files = {name: tmp_path / f"report.{name}" for name in ("markdown", "html", "junit", "json")}
    reports = [word for name, file in files.items() for word in ("--report", f"{name}={file}")]
    padcheck("compare", "demo", *QUICK, *ALL, *reports)
    assert "| sdpa | float32 | sdpa | " in files["markdown"].read_text(encoding="utf-8")
    assert '<th scope="row">eager<td>float32<td>eager' in files["html"].read_text(encoding="utf-8")
    suites = ET.parse(files["junit"]).getroot()
    assert [suite.get("name") for suite in suites] == ["demo (sdpa)", "demo (eager)"]
    again = padcheck("render", files["json"], "--format", "markdown").stdout
    assert again == files["markdown"].read_text(encoding="utf-8")


def test_a_model_without_attention_has_one_report(padcheck):
    outcome = padcheck("compare", "mamba", "--tiny", *QUICK, *ALL, "--format", "json")
    assert len(outcome.report["reports"]) == 1
    assert outcome.report["ways"] == ["eager"]


def test_a_side_that_is_not_judged_has_no_verdict(padcheck):
    lines = padcheck("compare", "demo", *QUICK, *ALL, "--padding-side", "left").stdout
    assert lines.count("not judged") == 2
    assert "different" not in lines


def test_a_missing_model_is_reported_as_usual(padcheck, tmp_path):
    outcome = padcheck("compare", tmp_path / "absent", *ALL)
    assert outcome.exit_code == 3
    assert "absent" in outcome.stdout


@pytest.mark.parametrize("command", [("check", "demo"), ("survey", "llama")])
def test_it_is_wrong_usage_for_check_and_survey(command, padcheck):
    outcome = padcheck(*command, *ALL)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "--attn-implementation all works only with `padcheck compare`" in outcome.stderr


def model(**changes):
    usual = {
        "config": SimpleNamespace(_attn_implementation="sdpa"),
        "device": torch.device("cuda"),
        "dtype": torch.bfloat16,
        "_supports_sdpa": True,
        "_supports_flash_attn": True,
    }
    return SimpleNamespace(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "installed", "expected"),
    [
        ({}, True, ("eager", "sdpa", "flash_attention_2")),
        ({"_supports_flash_attn": False, "_supports_flash_attn_2": True}, True, ("eager", "sdpa", "flash_attention_2")),
        ({}, False, ("eager", "sdpa")),
        ({"dtype": torch.float32}, True, ("eager", "sdpa")),
        ({"device": torch.device("cpu")}, True, ("eager", "sdpa")),
        ({"_supports_flash_attn": False}, True, ("eager", "sdpa")),
        ({"_supports_sdpa": False, "_supports_flash_attn": False}, True, ("eager",)),
        ({"config": SimpleNamespace()}, True, ()),
    ],
)
def test_the_implementations_depend_on_class_dtype_and_machine(changes, installed, expected, monkeypatch):
    monkeypatch.setattr(attention, "is_flash_attn_2_available", lambda: installed)
    assert attention.implementations(model(**changes)) == expected
