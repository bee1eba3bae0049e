"""`padcheck check` as a CI job runs it: several models, files, baselines, and every mistake."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
from conftest import run_in_process

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.progress import Silent
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.judging.baseline import Baseline
from padcheck.running import many_models
from padcheck.running.local_pool import Lost
from padcheck.running.many_models import Job

TWO_TOKENS = ("--max-new-tokens", 2)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(tmp_path, text, name="padcheck.toml"):
    (tmp_path / name).write_text(text, encoding="utf-8")


def test_one_model_passes(padcheck):
    done = padcheck("check", "demo", *TWO_TOKENS)
    assert done.exit_code == 0
    assert done.stdout.rstrip().endswith("PASS: 1 model, 1 passed")


def test_the_file_has_the_settings_and_the_command_line_overrides_them(padcheck, tmp_path):
    write(
        tmp_path, 'models = ["demo"]\nmax-new-tokens = 2\nfail-on = "warning"\nignore = { PAD4 = "no scores here" }\n'
    )
    done = padcheck("check", "--format", "json")
    (found,) = done.report["reports"]
    assert (done.exit_code, found["status"], found["max_new_tokens"]) == (1, "fail", 2)
    assert {"code": "PAD401", "reason": "no scores here", "kind": "ignored"} in found["skipped"]
    assert done.report["configuration"] == {"path": "padcheck.toml", "lines": {"demo": 1}}
    assert padcheck("check", "--fail-on", "error").exit_code == 0


def test_a_model_that_cannot_be_measured_decides_the_exit_code_and_the_others_run(padcheck, tmp_path):
    (tmp_path / "empty").mkdir()
    done = padcheck("check", "./empty", "demo", *TWO_TOKENS, "--fail-on", "warning", "--format", "json")
    first, second = done.report["reports"]
    assert done.exit_code == 3
    assert (done.report["command"], done.report["status"], done.report["exit_code"]) == ("check", "not_measured", 3)
    assert (first["model"]["id"], first["status"], first["exit_code"]) == ("./empty", "not_measured", 3)
    assert "has no config.json" in first["error"]["what"]
    assert (second["model"]["id"], second["status"]) == ("demo", "fail")


def test_a_wrong_option_for_the_only_model_is_wrong_usage(padcheck):
    done = padcheck("check", "demo", "--chat", *TWO_TOKENS)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has no chat template" in done.stderr


def test_an_option_that_one_of_several_models_does_not_accept_does_not_stop_the_others(padcheck, tmp_path):
    write(tmp_path, 'models = ["demo", "llama"]\ntiny = true\nmax-new-tokens = 2\n[model.llama]\nchat = true\n')
    done = padcheck("check", "--format", "json")
    assert (done.exit_code, [each["exit_code"] for each in done.report["reports"]]) == (3, [0, 3])
    assert "has no chat template" in done.report["reports"][1]["error"]["what"]


def test_standard_output_that_goes_to_a_file_is_not_replaced(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n", encoding="utf-8")
    command = f"{sys.executable} -m padcheck check demo --max-new-tokens 1 -q --report github=/dev/stdout >> {log}"
    assert subprocess.run(command, shell=True, check=False).returncode == 0
    text = log.read_text(encoding="utf-8")
    assert text.startswith("before\n::warning title=demo")
    assert text.rstrip().endswith("PASS: 1 model, 1 passed")


def test_a_baseline_that_cannot_be_written_is_wrong_usage(padcheck, monkeypatch):
    from padcheck.cli import files

    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_replace", full)
    done = padcheck("check", "demo", *TWO_TOKENS, "--baseline", "known.json", "--write-baseline")
    assert done.exit_code == 2
    assert "--baseline known.json cannot be written: No space left on device." in done.stderr


def test_a_bug_in_one_model_does_not_stop_the_others(monkeypatch):
    from padcheck.hf import measure

    real = measure.measure_model

    def broken(settings, progress):
        if settings.model == "broken":
            raise ZeroDivisionError("by design")
        return real(settings, progress)

    monkeypatch.setattr(measure, "measure_model", broken)
    jobs = [
        Job(MeasureSettings(model=model, max_new_tokens=1, prompts=("a b", "c")), JudgeSettings())
        for model in ("broken", "demo")
    ]
    found = many_models.check(jobs, Baseline(findings=()), Silent())
    assert [each.exit_code for each in found.reports] == [ExitCode.BUG, ExitCode.OK]
    assert (found.status, found.exit_code) == ("error", ExitCode.BUG)
    assert found.reports[0].error.what == "A bug in padcheck: ZeroDivisionError: by design"
    assert "broken" in found.reports[0].traceback


def test_memory_that_runs_out_is_not_measured(monkeypatch):
    from padcheck.hf import measure

    def full(settings, progress):
        raise MemoryError

    monkeypatch.setattr(measure, "measure_model", full)
    found = many_models.check([Job(MeasureSettings(), JudgeSettings())], Baseline(findings=()), Silent())
    assert (found.exit_code, found.reports[0].error.what) == (ExitCode.NOT_MEASURED, "Memory ran out.")


@pytest.mark.parametrize(
    ("measure", "judgement", "says"),
    [
        ({"dtype": "int8"}, {}, "--dtype int8"),
        ({}, {"select": ("PAD7",)}, "names no rule"),
        ({"device": "abacus"}, {}, "abacus"),
    ],
)
def test_a_setting_that_is_wrong_for_every_model_is_reported_before_the_first_one_runs(
    measure, judgement, says, monkeypatch
):
    from padcheck.hf import measure as measuring

    monkeypatch.setattr(measuring, "measure_model", lambda *_: pytest.fail("it was measured"))
    with pytest.raises(UsageError, match=says):
        many_models.check(
            [Job(MeasureSettings(**measure), JudgeSettings(**judgement))], Baseline(findings=()), Silent()
        )


@pytest.mark.parametrize("measure", [{"device": "abacus"}, {"device_map": "auto"}])
def test_with_ray_the_device_is_not_looked_for_on_this_machine(measure, monkeypatch):
    def run_each(_function, jobs):
        for job in jobs:
            yield job, Lost("no worker answered")

    monkeypatch.setattr(many_models, "Cluster", lambda _address, _device_of: SimpleNamespace(run_each=run_each))
    job = Job(MeasureSettings(**measure), JudgeSettings())
    found = many_models.check([job], Baseline(findings=()), Silent(), ray="auto")
    assert (found.exit_code, found.reports[0].error.what) == (3, "There is no result: no worker answered.")


def test_a_baseline_is_written_then_accepted_and_new_findings_fail(padcheck, tmp_path):
    strict = ("demo", *TWO_TOKENS, "--fail-on", "warning", "--baseline", tmp_path / "known.json")
    assert padcheck("check", *strict).exit_code == 2
    written = padcheck("check", *strict, "--write-baseline")
    assert written.exit_code == 0
    assert f"wrote {tmp_path / 'known.json'}" in written.stderr
    assert padcheck("check", *strict).exit_code == 0
    known = json.loads((tmp_path / "known.json").read_text(encoding="utf-8"))
    known["findings"] = [each for each in known["findings"] if each["code"] != "PAD202"]
    known["findings"].append({"model": "demo", "code": "PAD201", "severity": "error"})
    (tmp_path / "known.json").write_text(json.dumps(known), encoding="utf-8")
    done = padcheck("check", *strict)
    assert done.exit_code == 1
    assert "PAD202 warning right-padding-continues-from-pad" in done.stdout
    assert "In the baseline, but no longer found" in done.stdout
    assert "demo: PAD201" in done.stdout


def test_the_file_may_name_the_baseline_and_the_reports(padcheck, tmp_path):
    write(tmp_path, 'models = ["demo"]\nmax-new-tokens = 2\nbaseline = "known.json"\nreport = { junit = "out.xml" }\n')
    assert padcheck("check").exit_code == 2
    assert padcheck("check", "--write-baseline").exit_code == 0
    assert padcheck("check").exit_code == 0
    assert ET.parse(tmp_path / "out.xml").getroot().get("errors") == "0"


def test_many_reports_are_written_at_once(padcheck, tmp_path):
    names = {
        "json": "a.json",
        "markdown": "a.md",
        "junit": "a.xml",
        "sarif": "a.sarif",
        "github": "a.txt",
        "svg": "a.svg",
    }
    options = [option for fmt, name in names.items() for option in ("--report", f"{fmt}={name}")]
    done = padcheck("check", "demo", *TWO_TOKENS, *options, "--format", "json", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == done.report
    assert all((tmp_path / name).stat().st_size for name in names.values())


def test_a_saved_check_is_shown_and_judged_again(padcheck, tmp_path):
    write(tmp_path, 'models = ["demo"]\nmax-new-tokens = 2\nfail-on = "warning"\nignore = { PAD4 = "no scores" }\n')
    saved = padcheck("check", "--format", "json").stdout
    (tmp_path / "saved.json").write_text(saved, encoding="utf-8")
    again = padcheck("render", "saved.json", "--format", "json")
    assert (again.exit_code, again.stdout) == (1, saved)
    assert padcheck("render", "saved.json", "--fail-on", "never").exit_code == 0
    for fmt in ("table", "markdown", "junit", "sarif", "github", "svg"):
        assert padcheck("render", "saved.json", "--format", fmt).exit_code == 1


def test_a_known_finding_stays_known_in_a_saved_check(padcheck, tmp_path):
    strict = ("demo", *TWO_TOKENS, "--fail-on", "warning", "--baseline", "known.json")
    padcheck("check", *strict, "--write-baseline", "--report", "json=saved.json")
    assert padcheck("render", "saved.json").exit_code == 0


def test_a_verbose_check_shows_whole_reports(padcheck):
    done = padcheck("check", "demo", *TWO_TOKENS, "--verbose", "--ignore", "PAD203")
    assert "from the mask" in done.stdout
    assert "Rules not decided" in done.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("models = ", (), "is not TOML"),
        ("", (), "of this folder names a model"),
        ('modles = ["demo"]', (), "Did you mean models?"),
        ('models = ["demo"]', ("--report", "junit=/not/there/out.xml"), "does not exist"),
        ('models = ["demo"]', ("--report", "junit"), "names no file"),
        ('models = ["demo"]', ("--report", "junti=out.xml"), "Did you mean junit?"),
        ('models = ["demo"]\nreport = { junti = "out.xml" }', (), "Did you mean junit?"),
        ('models = ["demo"]', ("--report", "junit=a.xml", "--report", "junit=b.xml"), "is given twice"),
        ('models = ["demo"]', ("--report", "junit=a.xml", "--output", "a.xml"), "name the same file"),
        ('models = ["demo"]', ("--write-baseline",), "needs a path"),
        ('models = ["demo"]', ("--write-baseline", "--baseline", "no/folder.json"), "does not exist"),
        ('models = ["demo"]', ("--baseline", "not there.json"), "There is no baseline"),
        ('models = ["demo"]', ("--config", "not there.toml"), "cannot be read"),
        ('models = ["demo"]', ("--ignore", "PAD7"), "names no rule"),
        ('models = ["demo"]\nignore = { "" = "all" }', (), "names no rule"),
        ('models = ["demo"]', ("--format", "junit", "--report", "json=/dev/stdout"), "is standard output, which"),
    ],
)
def test_every_mistake_ends_with_2_and_a_message(padcheck, tmp_path, text, arguments, says):
    write(tmp_path, text)
    done = padcheck("check", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())


def test_flags_of_the_file_can_be_negated(padcheck, tmp_path):
    write(tmp_path, 'models = ["demo"]\ntiny = true\nmax-new-tokens = 2\n')
    assert padcheck("check", "--format", "json").report["reports"][0]["model"]["weights"] == "random"
    assert padcheck("check", "--no-tiny", "--format", "json").report["reports"][0]["model"]["weights"] == "pretrained"


def test_a_wrong_configuration_is_found_without_torch(tmp_path):
    write(tmp_path, 'modles = ["demo"]')
    code = (
        "import sys; sys.argv = ['padcheck', 'check']; from padcheck.cli.app import main\n"
        "try: main()\nfinally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "False\n")


def test_it_works_in_another_process(tmp_path):
    done = run_in_process("check", "demo", *TWO_TOKENS, "--format", "github")
    assert done.exit_code == 0
    *annotations, outcome = done.stdout.splitlines()
    assert all(line.startswith("::") for line in annotations)
    assert outcome == "padcheck: demo: passed"
