"""The action, the pre-commit hook, the workflow and the snippets of the pages are valid, and their scripts work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pages
import pytest
import yaml
from conftest import ROOT

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}


def is_valid(path: Path, schema: str) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0


def test_the_action_and_the_workflow_are_valid(tmp_path):
    assert is_valid(ROOT / "action.yml", "github-actions")
    assert is_valid(ROOT / ".github" / "workflows" / "ci.yml", "github-workflows")
    broken = tmp_path / "action.yml"
    broken.write_text("name: padcheck\nruns:\n  using: magic\n", encoding="utf-8")
    assert not is_valid(broken, "github-actions")


def test_the_hooks_are_valid():
    from pre_commit.clientlib import load_manifest

    isolated, installed = load_manifest(ROOT / ".pre-commit-hooks.yaml")
    assert isolated["language"] == "python"
    assert installed["language"] in ("system", "unsupported")  # pre-commit 4.4 renamed it, and reads both
    for key in ("entry", "pass_filenames", "files", "stages", "require_serial"):
        assert isolated[key] == installed[key]
    assert (isolated["entry"], isolated["pass_filenames"]) == ("padcheck check", False)
    files = re.compile(isolated["files"])
    for name in ("pyproject.toml", "sub/padcheck.toml", "model/tokenizer_config.json", "model/tokenizer.model"):
        assert files.search(name)
    assert not files.search("padcheck/cli/app.py")


def snippets(language: str) -> list[str]:
    return [block for page in pages.WRITTEN for block in pages.code(page, language)]


WORKFLOWS = [text for text in snippets("yaml") if "jobs:" in text]


def test_the_workflows_of_the_pages_are_valid(tmp_path):
    workflow = tmp_path / "workflow.yml"
    for github in WORKFLOWS:
        workflow.write_text(github, encoding="utf-8")
        assert is_valid(workflow, "github-workflows")
        (step,) = [each for each in yaml.safe_load(github)["jobs"]["padcheck"]["steps"] if "padcheck" in each["uses"]]
        assert step["with"].keys() <= ACTION["inputs"].keys()


def test_the_pages_configure_gitlab_and_pre_commit(tmp_path):
    gitlab, hooks = (text for text in snippets("yaml") if text not in WORKFLOWS)
    pipeline = tmp_path / ".gitlab-ci.yml"
    pipeline.write_text(gitlab, encoding="utf-8")
    assert is_valid(pipeline, "gitlab-ci")
    configured = tmp_path / ".pre-commit-config.yaml"
    configured.write_text(hooks, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", str(configured)], capture_output=True, check=False
    )
    assert done.returncode == 0


@pytest.mark.parametrize("section", snippets("toml"))
def test_the_configurations_of_the_pages_can_be_read(section, tmp_path, monkeypatch):
    from padcheck.cli.config_file import read

    monkeypatch.chdir(tmp_path)
    file = "pyproject.toml" if "[tool.padcheck]" in section else "padcheck.toml"
    (tmp_path / file).write_text(section, encoding="utf-8")
    (tmp_path / "prompts.txt").write_text("one\n", encoding="utf-8")
    assert read(None).jobs((), {})


class Runner:
    """Runs a step of the action with the environment that GitHub provides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output, self.summary = folder / "output", folder / "summary"
        (folder / "bin").mkdir()
        for name, command in (("python", '"$@"'), ("padcheck", '-m padcheck "$@"')):
            script = folder / "bin" / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command}\n', encoding="utf-8")
            script.chmod(0o755)

    def run(self, step: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        given = {name: each.get("default", "") for name, each in ACTION["inputs"].items()} | inputs
        environ = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], value)
            for name, value in STEPS[step]["env"].items()
        }
        script = self.folder / "script.sh"
        script.write_text(STEPS[step]["run"], encoding="utf-8")
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            env=os.environ
            | environ
            | {
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "RUNNER_TEMP": str(self.folder),
                "GITHUB_OUTPUT": str(self.output),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_ACTION_PATH": str(ROOT),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


def test_the_action_annotates_summarises_and_ends_like_the_command(runner):
    done = runner.run(
        "check",
        models="demo\n./not-there",
        args="--max-new-tokens 2 --prompt 'a b c d' --prompt two",
        reports="junit=out.xml json=out.json markdown=own.md",
    )
    assert done.returncode == 3
    outputs = dict(line.split("=", 1) for line in runner.output.read_text(encoding="utf-8").splitlines())
    assert outputs == {
        "status": "not_measured",
        "errors": "0",
        "warnings": "5",
        "report": str(runner.folder / "padcheck.json"),
        "exit-code": "3",
    }
    assert set(outputs) == set(ACTION["outputs"])
    assert "::error title=./not-there%3A not measured::There is no folder ./not-there." in done.stdout
    assert "NOT ALL MEASURED: 2 models, 1 passed, 1 not measured" in done.stdout
    assert runner.summary.read_text(encoding="utf-8").startswith("# padcheck check\n")
    assert (runner.folder / "out.xml").is_file()
    assert (runner.folder / "own.md").is_file()
    assert '"a b c d"' in (runner.folder / "out.json").read_text(encoding="utf-8")


def test_the_action_takes_the_models_of_a_configuration(runner):
    (runner.folder / "some.toml").write_text('models = ["demo"]\nmax-new-tokens = 2\n', encoding="utf-8")
    done = runner.run("check", config="some.toml", summary="false")
    assert done.returncode == 0
    assert "::warning file=some.toml,line=1,title=demo%3A PAD101" in done.stdout
    assert not runner.summary.exists()


def test_the_action_reports_wrong_inputs_and_does_not_run_them_as_shell_code(runner):
    done = runner.run("check", models="demo", args="--max-new-tokens $(touch made) --no-such-option")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "::error title=padcheck::" in done.stdout
    assert not (runner.folder / "made").exists()
    assert runner.output.read_text(encoding="utf-8") == "exit-code=2\n"


@pytest.mark.parametrize("words", ["-q 'oops --fail-on info", "--prompt it's"])
def test_an_unclosed_quote_is_not_a_pass(runner, words):
    done = runner.run("check", models="demo", args=words)
    assert (done.returncode, runner.output.read_text(encoding="utf-8")) == (2, "exit-code=2\n")
    assert "::error title=padcheck::args: a quote is not closed" in done.stdout


def test_the_action_passes_its_inputs_on(runner):
    inputs = {"fail-on": "warning", "padding-side": "left", "task": "generate"}
    done = runner.run("check", models="demo", args="--max-new-tokens 2", summary="false", **inputs)
    assert done.returncode == 1
    assert "FAIL by --fail-on warning: left padding" in done.stdout
    assert "::error title=demo%3A PAD101" in done.stdout
    assert "PAD106" not in done.stdout


def test_the_action_installs_the_given_package(runner):
    # torch is not installed: pip show fails.
    (runner.folder / "bin" / "python").write_text('#!/bin/sh\necho "$@"\ntest "$3" != show\n', encoding="utf-8")
    (runner.folder / "bin" / "python").chmod(0o755)
    shown, torch, padcheck = runner.run("install").stdout.splitlines()
    assert shown.split()[-1] == "torch"
    assert torch.endswith("torch --index-url https://download.pytorch.org/whl/cpu")
    assert padcheck.split()[-1] == str(ROOT)
    given = runner.run("install", package="padcheck==0.1", **{"torch-index": ""}).stdout.splitlines()
    assert [line.split()[-1] for line in given] == ["padcheck==0.1"]


def test_the_action_keeps_a_torch_that_is_installed(runner):
    (runner.folder / "bin" / "python").write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    (runner.folder / "bin" / "python").chmod(0o755)
    assert [line.split()[-1] for line in runner.run("install").stdout.splitlines()] == ["torch", str(ROOT)]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("com",), {"compare"}),
        (("check", "--base"), {"--baseline"}),
        (("compare", "--format", "jun"), {"junit"}),
        (("explain", "PAD20"), {f"PAD20{digit}" for digit in range(1, 10)}),
        (("check", "--ignore", "PAD90"), {"PAD901", "PAD902", "PAD903"}),
    ],
)
def test_the_shell_completes(words, offered):
    line = ("padcheck", *words)
    done = subprocess.run(
        [sys.executable, "-m", "padcheck"],
        env=os.environ
        | {"_PADCHECK_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(words))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(done.stdout.split()) == offered


def test_bash_itself_completes(tmp_path):
    command = tmp_path / "padcheck"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m padcheck "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    script = """
        eval "$(padcheck --show-completion)"
        COMP_WORDS=(padcheck insp) COMP_CWORD=1
        _padcheck_completion padcheck
        echo "${COMPREPLY[@]}"
    """
    environ = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["inspect-tokenizer"]
