"""`padcheck run` as a user types it: streams, exit codes, formats, and programs that end in their own way."""

import json
import sys
from xml.etree import ElementTree as ET

import pytest
from conftest import run_in_process
from programs import LINE, RIGHT, WRONG


def test_a_mistake_ends_with_1_and_stdout_is_the_programs(padcheck, script):
    outcome = padcheck("run", script(WRONG), "--batch-size", "8")
    assert outcome.exit_code == 1
    assert outcome.stdout.endswith("['--batch-size', '8']\n")
    assert outcome.stdout.count("\n") == 1
    assert f"padcheck: my script.py:{LINE}: PAD501: " in outcome.stderr
    assert "FAIL: 1 padding mistake at 1 line" in outcome.stderr


def test_a_right_program_ends_with_0(padcheck, script):
    outcome = padcheck("run", script(RIGHT))
    assert outcome.exit_code == 0
    assert (
        "PASS: no padding mistake seen in 1 call of a model, 1 of them with pads, 1 of these checked" in outcome.stderr
    )


def test_the_formats_name_file_and_line(padcheck, script, tmp_path):
    formats = {"json": "json", "sarif": "sarif", "junit": "xml", "github": "txt", "markdown": "md", "html": "html"}
    reports = [part for name, end in formats.items() for part in ("--report", f"{name}=report.{end}")]
    assert padcheck("run", "--quiet", *reports, script(WRONG)).exit_code == 1
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["command"], written["status"], written["script"]) == ("run", "fail", "my script.py")
    assert written["calls"] == {"tokenizer": 1, "generate": 1, "forward": 0, "padded": 1, "checked": 1, "unknown": 0}
    [finding] = written["findings"]
    assert (finding["code"], finding["file"], finding["line"]) == ("PAD501", "my script.py", LINE)
    [result] = json.loads((tmp_path / "report.sarif").read_text())["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "my%20script.py"
    assert location["region"]["startLine"] == LINE
    assert f"::error file=my script.py,line={LINE},title=" in (tmp_path / "report.txt").read_text()
    assert ET.parse(tmp_path / "report.xml").getroot().get("failures") == "1"
    assert f"my script.py:{LINE}" in (tmp_path / "report.md").read_text()
    assert "PAD501" in (tmp_path / "report.html").read_text()
    again = padcheck("render", tmp_path / "report.json", "--fail-on", "never")
    assert again.exit_code == 0
    assert "PAD501" in again.stdout


def test_a_file_is_named_from_the_root_of_its_repository(padcheck, script, tmp_path, monkeypatch):
    script(WRONG, "score.py")
    (tmp_path / ".git").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    outcome = padcheck("run", "--report", "sarif=report.sarif", "../score.py")
    assert f"padcheck: score.py:{LINE}: PAD501: " in outcome.stderr
    [result] = json.loads((tmp_path / "below" / "report.sarif").read_text())["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "score.py"


def test_select_ignore_and_fail_on_decide_what_counts(padcheck, script):
    name = script(WRONG)
    assert padcheck("run", "--ignore", "PAD501", name).exit_code == 0
    assert padcheck("run", "--select", "PAD502", name).exit_code == 0
    assert padcheck("run", "--fail-on", "never", name).exit_code == 0


@pytest.mark.parametrize(
    ("text", "exit_code", "says"),
    [
        ("import sys\nsys.exit(3)\n", 3, ""),
        ("import sys\nsys.exit('no model')\n", 1, "no model\n"),
        ("def broken(:\n", 1, "SyntaxError"),
        ("def f():\n    1 / 0\nf()\n", 1, "line 2, in f\n    1 / 0"),
        ("raise KeyboardInterrupt\n", 130, "KeyboardInterrupt"),
    ],
)
def test_the_programs_own_failure_stays_its_own(padcheck, script, text, exit_code, says):
    outcome = padcheck("run", script(text))
    assert outcome.exit_code == exit_code
    assert says in outcome.stderr
    assert "padcheck/running" not in outcome.stderr
    assert "runpy" not in outcome.stderr


def test_findings_stay_if_the_program_fails_later(padcheck, script):
    outcome = padcheck("run", script(WRONG + "sys.exit(7)\n"))
    assert outcome.exit_code == 7
    assert "PAD501" in outcome.stderr
    assert "the program itself ended with 7" in outcome.stderr


def test_a_program_without_a_model_is_not_measured(padcheck, script):
    outcome = padcheck("run", script("print('hello')\n"))
    assert outcome.exit_code == 3
    assert outcome.stdout == "hello\n"
    assert "NOTHING WATCHED" in outcome.stderr


@pytest.mark.parametrize(("mask", "exit_code"), [([[0, 1, 1], [1, 1, 1]], 3), ([[1, 1, 1], [1, 1, 1]], 0)])
def test_padded_rows_that_no_tokenizer_made_are_not_measured(padcheck, script, mask, exit_code):
    outcome = padcheck("run", script(UNKNOWN_ROWS.format(mask=mask)))
    assert outcome.exit_code == exit_code
    assert ("NOT MEASURED: only 1 padded batch of rows that no tokenizer" in outcome.stderr) == (exit_code == 3)


UNKNOWN_ROWS = """
import torch
from transformers import AutoModelForCausalLM
from padcheck.demo import MODEL_FOLDER
model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
model(input_ids=torch.tensor([[5, 6, 7], [8, 9, 10]]), attention_mask=torch.tensor({mask}))
"""


@pytest.mark.parametrize("arguments", [("missing.py",), ("-m", "no_such_module"), ("notebook.ipynb",), ()])
def test_a_wrong_command_line_ends_with_2(padcheck, script, arguments):
    script("{}", "notebook.ipynb")
    outcome = padcheck("run", *arguments)
    assert outcome.exit_code == 2
    assert outcome.stderr


def test_a_module_of_the_working_directory_runs_as_main_with_its_arguments(padcheck, script, monkeypatch):
    script("import sys\nprint(__name__, sys.argv[1:])\n", "some_module.py")
    monkeypatch.setattr(sys, "path", ["/folder/of/the/command", *sys.path])
    outcome = padcheck("run", "-m", "some_module", "--epochs", "3")
    assert outcome.stdout == "__main__ ['--epochs', '3']\n"


def test_the_program_may_set_variables_before_it_imports_transformers(script):
    text = "import os, sys\nassert 'transformers' not in sys.modules\nassert 'torch' not in sys.modules\n" + WRONG
    outcome = run_in_process("run", script(text))
    assert outcome.exit_code == 1, outcome.stderr


def test_a_child_of_fork_writes_no_second_report(padcheck, script):
    text = RIGHT + "import os\nif os.fork():\n    os.wait()\n"
    outcome = run_in_process("run", script(text))
    assert outcome.exit_code == 0
    assert outcome.stderr.count("PASS") == 1


def test_a_program_may_replace_its_streams_and_run_threads(padcheck, script):
    text = (
        RIGHT
        + "import io, threading\nsys.stdout = sys.stderr = io.StringIO()\n"
        + "threading.Thread(target=lambda: model.generate(**batch, max_new_tokens=2)).start()\n"
    )
    outcome = padcheck("run", script(text))
    assert outcome.exit_code == 1
    assert "PAD501" in outcome.stderr
    assert sys.stdout is sys.__stdout__ or sys.stdout is not None


@pytest.mark.parametrize("code", ["PAD501", "read-from-pad"])
def test_explain_shows_examples(padcheck, code):
    shown = padcheck("explain", code).stdout
    assert "Wrong:\n" in shown
    assert "Right:\n" in shown


def test_a_baseline_accepts_lines_wherever_they_move(padcheck, script, tmp_path):
    baseline = tmp_path / "known.json"
    options = ("--baseline", str(baseline), script(WRONG))
    written = padcheck("run", "--write-baseline", *options)
    assert written.exit_code == 0
    assert "1 padding mistake at 1 line, 1 of them known" in written.stderr
    [line] = json.loads(baseline.read_text())["lines"]
    assert (line["script"], line["code"], line["severity"]) == ("my script.py", "PAD501", "error")

    script("\n# moved\n" + WRONG)
    outcome = padcheck("run", *options)
    assert outcome.exit_code == 0
    assert "padcheck: my script.py" not in outcome.stderr

    again = "output = model.generate(**batch, max_new_tokens=2)\n"
    for more in (again, "model(batch.input_ids[:, 1:])\n" + again.replace("2", "3")):
        script(WRONG + more)
        outcome = padcheck("run", "--report", "sarif=run.sarif", *options)
        assert outcome.exit_code == 1
        assert outcome.stderr.count("padcheck: my script.py") == 1
        results = json.loads((tmp_path / "run.sarif").read_text())["runs"][0]["results"]
        assert ["suppressions" in each for each in results] == [True, False]


def test_a_baseline_keeps_other_scripts_models_and_what_a_failed_run_did_not_reach(padcheck, script, tmp_path):
    known = tmp_path / "known.json"
    options = ("run", "--write-baseline", "--baseline", str(known))
    model = {"model": "gpt2", "code": "PAD201", "severity": "error"}
    known.write_text(json.dumps({"schema_version": 1, "findings": [model]}))
    padcheck(*options, script(WRONG, "a.py"))
    padcheck(*options, script(WRONG, "b.py"))
    written = json.loads(known.read_text())
    assert written["findings"] == [model]
    assert [each["script"] for each in written["lines"]] == ["a.py", "b.py"]
    script("raise SystemExit(1)\n", "a.py")
    padcheck(*options, "a.py")
    assert json.loads(known.read_text()) == written
    script(RIGHT, "a.py")
    padcheck(*options, "a.py")
    assert [each["script"] for each in json.loads(known.read_text())["lines"]] == ["b.py"]


@pytest.mark.parametrize("options", [("--write-baseline",), ("--baseline", "missing.json")])
def test_a_baseline_that_cannot_be_read_ends_with_2_before_the_program_runs(padcheck, script, options):
    outcome = padcheck("run", *options, script("print('ran')\n"))
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
