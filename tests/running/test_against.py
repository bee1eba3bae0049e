"""`compare --against`: one model as asked, and once more with another dtype, revision, adapter or attention."""

import json

import model_folders as folders
import pytest

QUICK = ("--max-new-tokens", "2", "--prompt", "one two three four five six", "--prompt", "one")


def test_each_run_has_a_report_and_the_one_as_asked_comes_first(padcheck):
    changes = ("--against", "dtype=bf16", "--against", "attn-implementation=eager")
    outcome = padcheck("compare", "demo", *QUICK, *changes, "--format", "json")
    assert outcome.exit_code == 0
    assert outcome.report["ways"] == ["float32, sdpa", "bf16", "eager"]
    models = [report["model"] for report in outcome.report["reports"]]
    assert [(model["dtype"], model["attn_implementation"]) for model in models] == [
        ("float32", "sdpa"),
        ("bfloat16", "sdpa"),
        ("float32", "eager"),
    ]


def test_one_table_shows_them_side_by_side(padcheck):
    lines = padcheck("compare", "demo", *QUICK, "--against", "dtype=float16").stdout.splitlines()
    start = lines.index(next(line for line in lines if line.startswith("Side by side")))
    assert [line.split()[0] for line in lines[start + 2 : start + 4]] == ["float32", "float16"]
    assert "first run" in lines[start + 2]
    assert "same texts" in lines[start + 3]
    assert lines[-1] == "PASS: 2 runs, 2 passed"


def test_an_adapter_beside_its_base_and_the_texts_that_it_changes(padcheck, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    folders.adapter(adapter)
    outcome = padcheck("compare", f"{adapter}-base", *QUICK, "--against", f"adapter={adapter}", "--format", "markdown")
    first, second = (line for line in outcome.stdout.splitlines() if "| float32 |" in line)
    assert first.startswith("| no adapter |")
    assert "2 of 2 texts differ" in second


def test_a_run_that_cannot_be_measured_leaves_the_others(padcheck, tmp_path):
    outcome = padcheck("compare", "demo", *QUICK, "--against", f"adapter={tmp_path / 'absent'}")
    assert outcome.exit_code == 3
    assert outcome.stdout.splitlines()[-1] == "NOT ALL MEASURED: 2 runs, 1 passed, 1 not measured"


def test_a_saved_report_shows_the_same_table(padcheck, tmp_path):
    saved = tmp_path / "report.json"
    change = ("--against", "attn-implementation=eager")
    shown = padcheck("compare", "demo", *QUICK, *change, "--report", f"json={saved}", "--format", "markdown").stdout
    assert padcheck("render", saved, "--format", "markdown").stdout == shown


@pytest.mark.parametrize(
    "value", ["x=1", "dtype", "dtype=", "=bfloat16", "", "attn-implementation=all", "dtype=float31", "device=toaster"]
)
def test_a_bad_value_is_refused_before_anything_runs(padcheck, value):
    outcome = padcheck("compare", "demo", *QUICK, "--against", value)
    assert (outcome.exit_code, outcome.stdout) == (2, "")


def test_a_model_on_this_machine_has_no_revisions(padcheck):
    outcome = padcheck("compare", "demo", *QUICK, "--against", "revision=v2")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "demo has no revisions" in outcome.stderr


def test_every_attention_is_asked_for_in_one_way(padcheck):
    outcome = padcheck("compare", "demo", "--attn-implementation", "all", "--against", "dtype=float16")
    assert outcome.exit_code == 2
    assert "exclude each other" in outcome.stderr


def test_ways_must_match_the_reports(padcheck, tmp_path):
    saved = tmp_path / "report.json"
    padcheck("compare", "demo", *QUICK, "--against", "dtype=bfloat16", "--report", f"json={saved}")
    saved.write_text(json.dumps(json.loads(saved.read_text()) | {"ways": ["float32"]}))
    outcome = padcheck("render", saved)
    assert outcome.exit_code == 2
    assert "`ways` and `reports` do not match" in outcome.stderr
