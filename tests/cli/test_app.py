"""The commands as a user types them: help, version, prompts of every kind, output, exit codes."""

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from conftest import run_in_process

from padcheck import __version__
from padcheck.judging.rules import RULES

QUICK = ("--tiny", "--max-new-tokens", 2)


def test_help_lists_the_commands_and_each_command_has_its_own_help(padcheck):
    root = padcheck("--help")
    assert root.exit_code == 0
    for command in ("compare", "inspect-tokenizer", "render", "explain", "rules"):
        assert command in root.stdout
        assert padcheck(command, "--help").exit_code == 0


def test_the_version_is_that_of_the_package(padcheck):
    assert padcheck("--version").stdout == f"padcheck {__version__}\n"


def test_python_dash_m_is_the_same_command():
    assert run_in_process("--version").stdout == f"padcheck {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("compare", "--nonsense"),
        ("compare", "--max-new-tokens", "0"),
        ("compare", "--max-new-tokens", "many"),
        ("compare", "--batch-size", "1"),
        ("compare", "--batch-size", "many"),
        ("compare", "--temperature", "0.5"),
        ("compare", "--do-sample", "--top-p", "2"),
        ("compare", "--prompt", ""),
        ("compare", "--device", "cpu", "--device-map", "auto"),
        ("compare", "--device", "abacus"),
        ("compare", "--dtype", "int8"),
        ("compare", "--attn-implementation", "nonsense"),
        ("compare", "--atol", "-1"),
        ("compare", "--select", "XYZ"),
        ("compare", "--with", "statik"),
        ("compare", "--with", ""),
        ("compare", "--format", "pdf"),
        ("compare", "--pad-token", "<|not there|>"),
        ("compare", "--chat"),
        ("compare", "--prompts", "/not/there"),
        ("compare", "--output", "/not/there/report.json"),
        ("compare", "--output", "/"),
        ("inspect-tokenizer",),
        ("explain", "PAD000"),
        ("render", "/not/there.json"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_a_message(padcheck, arguments):
    outcome = padcheck(*arguments)
    assert outcome.exit_code == 2, outcome.stderr
    assert outcome.stderr.strip()
    assert "Traceback" not in outcome.stderr
    assert not outcome.stdout


def test_a_missing_folder_is_not_measured(padcheck):
    outcome = padcheck("compare", "./not/there")
    assert outcome.exit_code == 3
    assert "no folder ./not/there" in outcome.stderr


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        (["one"], "The prompt has 1 token and needs no pads, so padcheck added prompt 1"),
        (["one two", "two three"], "All prompts have 2 tokens and need no pads, so padcheck added prompt 2"),
    ],
    ids=["one prompt", "one length"],
)
def test_prompts_that_need_no_pads_get_a_companion(padcheck, prompts, says):
    given = [part for prompt in prompts for part in ("--prompt", prompt)]
    report = padcheck("compare", "demo", *QUICK, *given, "--format", "json").report
    assert (report["status"], report["companion"]) == ("pass", len(prompts))
    *given_rows, _ = report["arms"]["left"]["rows"]
    assert all(row["num_pad_tokens"] == 6 - len(prompts[0].split()) for row in given_rows)
    assert "PAD901" not in {finding["code"] for finding in report["findings"]}
    assert says in padcheck("compare", "demo", *QUICK, *given).stdout


def test_if_no_companion_helps_nothing_is_measured_and_the_command_fails(padcheck, tmp_path):
    from model_folders import tokenizer_of_one_token

    folder = tokenizer_of_one_token(tmp_path / "model")
    outcome = padcheck("compare", folder, "--prompt", "a", "--format", "json", "--fail-on", "never")
    assert outcome.exit_code == 3
    assert outcome.report["status"] == "not_measured"
    assert outcome.codes >= {"PAD901"}
    assert any("There is one prompt" in finding["message"] for finding in outcome.report["findings"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_reference_in_the_json_is_a_run_that_is_there(padcheck, dtype):
    report = padcheck("compare", "demo", "--dtype", dtype, "--format", "json").report
    with_rows = {name for name, run in report["arms"].items() if run["rows"]}
    assert {comparison["reference"] for comparison in report["comparisons"].values()} <= with_rows


def test_a_prompt_longer_than_the_positions_is_refused_before_anything_runs(padcheck):
    outcome = padcheck("compare", "demo", "--prompt", "one " * 500, "--prompt", "two")
    assert outcome.exit_code == 3
    assert "positions" in outcome.stderr
    assert "Shorten the prompt" in outcome.stderr


HOSTILE = [
    "[/INST] [bold]x[/bold]",
    "<s> :cat: </script>",
    "a\x1b[31mb\x07\r",
    "日本語のテキスト です",
    "שלום עולם \u202eabc",
    "`|` *x*",
]


@pytest.mark.parametrize("fmt", ["table", "markdown", "svg", "html", "json"])
def test_prompts_with_any_text_are_shown_as_text(padcheck, fmt, tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": prompt}) for prompt in HOSTILE))
    outcome = padcheck("compare", "demo", *QUICK, "--prompts", file, "--format", fmt, "--verbose")
    assert outcome.exit_code == 0, outcome.stderr
    if fmt != "svg":
        assert "[/INST] [bold]x[/bold]" in outcome.stdout.replace("\\", "")
    if fmt != "json":
        assert not set("\x1b\x07\r\u202e") & set(outcome.stdout)
    assert outcome.report["prompts"] == HOSTILE if fmt == "json" else True


def test_prompts_come_from_options_and_files_and_stdin_together(tmp_path):
    (tmp_path / "prompts.txt").write_text("three\nfour five\n")
    command = [sys.executable, "-m", "padcheck", "inspect-tokenizer", "demo", "--prompt", "one two", "--prompts", "-"]
    done = subprocess.run([*command, "--format", "json"], input=b"three\nfour five\n", capture_output=True, check=True)
    assert json.loads(done.stdout)["prompts"] == ["one two", "three", "four five"]


def test_a_report_goes_to_the_file_and_reads_back_the_same(padcheck, tmp_path):
    file = tmp_path / "report.json"
    written = padcheck("compare", "demo", *QUICK, "--format", "json", "--output", file)
    assert written.stdout == ""
    assert written.stderr == f"wrote {file}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert padcheck("render", file, "--format", "json").stdout == file.read_text()


def test_a_saved_report_is_judged_again_with_other_tolerances(padcheck, tmp_path):
    file = tmp_path / "report.json"
    padcheck("compare", "demo", *QUICK, "--format", "json", "--output", file)
    lenient = padcheck("render", file, "--atol", "1e9", "--format", "json")
    assert lenient.report["comparisons"]["right"]["verdict"] == "equivalent"
    assert "PAD202" not in lenient.codes
    strict = padcheck("render", file, "--atol", "0", "--rtol", "0", "--fail-on", "warning")
    assert strict.exit_code == 1


def test_quiet_says_nothing_on_stderr(padcheck, tmp_path):
    assert padcheck("compare", "demo", *QUICK, "--quiet", "--output", tmp_path / "report.txt").stderr == ""


def test_an_output_that_cannot_be_written_is_found_before_the_run(padcheck, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = padcheck("compare", "demo", "--output", tmp_path / "file" / "report.json")
    assert outcome.exit_code == 2
    assert "does not exist" in outcome.stderr


def test_with_a_machine_format_stdout_is_only_the_document(padcheck):
    outcome = padcheck("compare", "demo", *QUICK, "--format", "json")
    assert outcome.report["exit_code"] == outcome.exit_code
    assert outcome.stderr == ""


def test_a_reader_that_closes_the_pipe_early_is_no_error():
    piped = f"{sys.executable} -m padcheck rules | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[1] == "0"
    assert done.stderr == ""


def test_a_stream_that_is_not_utf8_gets_escapes_and_no_crash():
    outcome = run_in_process("rules", PYTHONIOENCODING="ascii")
    assert outcome.exit_code == 0
    assert outcome.stdout.isascii()


def test_ctrl_c_ends_with_not_measured_and_one_line(tmp_path):
    prompts = tmp_path / "prompts"
    os.mkfifo(prompts)
    running = subprocess.Popen(
        [sys.executable, "-m", "padcheck", "compare", "demo", "--prompts", prompts],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell makes background processes ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no thread runs here
    )
    with prompts.open("w"):  # returns as soon as padcheck reads its prompts
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, stdout, stderr) == (3, "", "padcheck: Interrupted: nothing was measured.\n")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_explain_shows_the_documentation_of_every_code(padcheck, rule):
    by_code, by_name = padcheck("explain", rule.code.lower()), padcheck("explain", rule.name)
    assert by_code == by_name
    for heading in ("Why it matters", "How padcheck knows", "Fix", "References"):
        assert heading in by_code.stdout


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_explain_uses_the_width_of_the_screen(padcheck, monkeypatch, rule):
    monkeypatch.setenv("COLUMNS", "60")
    *lines, address = padcheck("explain", rule.code).stdout.splitlines()
    assert address == rule.url()
    assert max(map(len, lines)) <= 60
    for line, following in pairwise(lines):
        if line.startswith("    ") and following.startswith("    "):
            assert len(line) + len(following.split()[0]) >= 60, "a line ends although the next word fits on it"


def test_rules_lists_every_code_at_80_columns():
    outcome = run_in_process("rules", COLUMNS="80")
    assert all(rule.code in outcome.stdout and rule.name in outcome.stdout for rule in RULES)
    assert max(map(len, outcome.stdout.split("\n"))) <= 80


def test_a_bug_ends_with_4_and_says_where_to_report_it(padcheck, monkeypatch):
    monkeypatch.setattr("padcheck.running.one_model.judge", lambda *_: 1 / 0)
    outcome = padcheck("compare", "demo", *QUICK)
    assert outcome.exit_code == 4
    assert "a bug in padcheck" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "Traceback" in padcheck("compare", "demo", *QUICK, "--verbose").stderr


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("rules",), ("explain", "PAD101"), ("compare", "--help")], ids=" ".join
)
def test_commands_that_need_no_model_import_neither_torch_nor_transformers(arguments):
    program = """import sys
from padcheck.cli.app import main
try:
    main()
finally:
    sys.stderr.write(str({"torch", "transformers"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == "set()"


def test_a_link_stays_a_link_and_no_temporary_file_remains(padcheck, tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    padcheck("inspect-tokenizer", "demo", "--output", tmp_path / "link", "--format", "json")
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "target").read_text())["command"] == "inspect-tokenizer"
    assert {path.name for path in tmp_path.iterdir()} == {"target", "link"}


def test_closed_and_full_streams_end_with_a_documented_exit_code():
    def run(redirection: str) -> tuple[int, str]:
        command = f"{sys.executable} -m padcheck {redirection}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    assert run("rules >&-") == (0, "")
    full, message = run("rules > /dev/full")
    assert (full, "Traceback" in message) == (2, False)
    closed, message = run("inspect-tokenizer demo --prompts - <&-")
    assert (closed, "standard input" in message) == (2, True)


def test_a_terminal_that_reports_no_width_gets_a_report():
    assert "PASS" in run_in_process("inspect-tokenizer", "demo", COLUMNS="0").stdout


def test_forced_colour_shows_no_progress_in_a_log(tmp_path):
    outcome = run_in_process("compare", "demo", *QUICK, "--format", "json", FORCE_COLOR="1")
    assert "\x1b" not in outcome.stderr
    assert all(line.startswith("padcheck: ") for line in outcome.stderr.splitlines())  # if it takes ten seconds


def test_a_chat_template_that_refuses_the_prompts_is_no_bug(padcheck, tmp_path):
    import shutil

    from padcheck.demo import MODEL_FOLDER

    folder = tmp_path / "chat"
    shutil.copytree(MODEL_FOLDER, folder)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no system message') }}")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = "{{ raise_exception('no system message') }}"
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    outcome = padcheck("compare", folder, *QUICK, "--chat")
    assert outcome.exit_code == 2
    assert "no system message" in outcome.stderr


def test_a_model_that_cannot_run_is_not_measured(padcheck):
    assert padcheck("compare", "demo", *QUICK, "--device", "meta").exit_code == 3
