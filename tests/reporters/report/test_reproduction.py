"""The command line of a report repeats the measurement: a shell splits it, and the program reads it back."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from builders import HOSTILE, evidence, model_facts, report
from documents import a_survey
from msgspec.structs import replace

from padcheck.cli import app
from padcheck.core.errors import UsageError
from padcheck.core.report import Report
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.core.severity import Severity
from padcheck.judging.judge import judge
from padcheck.reporters.report.reproduction import command_line, prompts_file, requirements, survey_command_line
from padcheck.running import one_model

bash = shutil.which("bash")


def measured(settings: MeasureSettings, judgement: JudgeSettings | None = None, command="compare", **model) -> Report:
    """A report with these settings, as read from a file."""
    built = report(command, settings=judgement, model=model_facts(id=settings.model, **{"revision": None} | model))
    return replace(built, evidence=replace(built.evidence, settings=json.loads(json.dumps(settings.given))))


def read_back(shown: Report, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[MeasureSettings, JudgeSettings]:
    """The settings that the program reads from the command line after bash split it."""
    monkeypatch.chdir(folder)
    if content := prompts_file(shown):
        Path("prompts.jsonl").write_text(content, encoding="utf-8")
    split = subprocess.run(
        [bash, "-c", f"printf '%s\\0' {command_line(shown)}"], capture_output=True, check=True, cwd=folder
    ).stdout
    program, *arguments = split.decode().split("\0")[:-1]
    assert program == "padcheck"
    asked = []

    def instead(measure, judgement, progress):
        asked.append((measure, judgement))
        raise UsageError("asked for", change="")

    monkeypatch.setattr(one_model, "compare", instead)
    monkeypatch.setattr(one_model, "inspect_tokenizer", instead)
    with pytest.raises(SystemExit):
        app.app(arguments, prog_name="padcheck", standalone_mode=True)
    [found] = asked
    return found


MEASURES = {
    "the demo": MeasureSettings(),
    "conversations": MeasureSettings(
        prompts=("one", ({"role": "system", "content": "two"}, {"role": "user", "content": "3"}))
    ),
    "a folder like an option": MeasureSettings(model="--tiny"),
    "everything": MeasureSettings(
        model="some/model",
        prompts=("one", "-two", "it's \\three"),
        chat=True,
        max_new_tokens=3,
        do_sample=True,
        temperature=0.6,
        top_k=5,
        top_p=0.9,
        seed=-7,
        dtype="bfloat16",
        device="cpu",
        attn_implementation="eager",
        revision="main",
        tokenizer="other/model",
        pad_token="<pad>",
        trust_remote_code=True,
        tiny=True,
        batch_size=2,
        thorough=True,
        with_modes=("static-cache", "assisted"),
    ),
    "over several devices": MeasureSettings(model="m", device_map="auto"),
    "hostile": MeasureSettings(model="a b$(x)`y`", prompts=(HOSTILE, "two\nlines\t", "'", "!x", "\\n"), pad_token="*"),
    "many": MeasureSettings(prompts=tuple(f"{HOSTILE}{number}" for number in range(40))),
    "a zero byte": MeasureSettings(prompts=("a\0b", "c")),
}
JUDGEMENTS = {
    "default": JudgeSettings(),
    "all": JudgeSettings(
        atol=1e-3,
        rtol=0.0,
        select=("PAD1", "PAD2"),
        ignore={"PAD101": "left out by --ignore", "PAD3": "left out by --ignore"},
        fail_on=Severity.WARNING,
        task="score",
        padding_side="right",
    ),
    "never": JudgeSettings(fail_on=None),
}


@pytest.mark.skipif(bash is None, reason="no bash to split the command line")
class TestReadBack:
    @pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
    def test_what_was_measured(self, measure, monkeypatch, tmp_path):
        assert read_back(measured(measure), monkeypatch, tmp_path) == (measure, JudgeSettings())

    @pytest.mark.parametrize("judgement", JUDGEMENTS.values(), ids=JUDGEMENTS)
    def test_how_it_was_judged(self, judgement, monkeypatch, tmp_path):
        assert read_back(measured(MeasureSettings(), judgement), monkeypatch, tmp_path)[1] == judgement

    def test_an_inspection_takes_no_tolerance(self, monkeypatch, tmp_path):
        shown = measured(MeasureSettings(chat=True), JudgeSettings(atol=1.0, fail_on=None), "inspect-tokenizer")
        found = read_back(shown, monkeypatch, tmp_path)
        assert found == (MeasureSettings(chat=True), JudgeSettings(fail_on=None))


def test_default_settings_give_a_short_line():
    assert command_line(measured(MeasureSettings())) == "padcheck compare demo"


def test_the_model_is_pinned_to_the_loaded_revision():
    shown = measured(MeasureSettings(model="gpt2", revision="main"), revision="0123abc")
    assert command_line(shown) == "padcheck compare gpt2 --revision 0123abc"


def test_a_report_without_settings_names_its_model_and_revision():
    assert command_line(report()) == "padcheck compare some/model --revision 0123456789abcdef"


def test_invisible_characters_become_escapes():
    assert command_line(measured(MeasureSettings(prompts=("a\x1b'\n",)))) == (
        r"padcheck compare demo --prompt $'a\x1b\'\x0a'"
    )


def test_only_many_prompts_need_a_file():
    assert prompts_file(measured(MeasureSettings(prompts=("a", "b")))) == ""
    many = measured(MeasureSettings(prompts=tuple(map(str, range(100)))))
    assert command_line(many) == "padcheck compare demo --prompts prompts.jsonl"
    assert prompts_file(many).splitlines()[99] == '{"prompt":"99"}'


def test_versions_are_pinned_without_the_build():
    environment = replace(report().evidence.environment, torch="2.13.0+cpu")
    assert requirements(environment) == "pip install padcheck==0.0 torch==2.13.0 transformers==4.48 tokenizers==0.21"


def test_a_survey_names_its_model_types(monkeypatch, tmp_path):
    settings = {"dtype": None, "max_new_tokens": 6, "seed": 1, "atol": 0.5, "select": [], "ignore": ["PAD1", "PAD2"]}
    shown = replace(a_survey(), settings=settings)
    line = "padcheck survey llama odd --max-new-tokens 6 --seed 1 --atol 0.5 --ignore PAD1,PAD2"
    assert survey_command_line(shown) == line
    asked = []
    monkeypatch.setattr(
        "padcheck.running.survey.survey", lambda *settings: asked.append(settings) or pytest.fail("asked for")
    )
    with pytest.raises(pytest.fail.Exception):
        app.app(line.split()[1:], prog_name="padcheck", standalone_mode=False)
    [(wanted, measure, judgement, _, _)] = asked
    assert wanted.model_types == ("llama", "odd")
    assert (measure.max_new_tokens, measure.seed, judgement.atol, list(judgement.ignore)) == (
        6,
        1,
        0.5,
        ["PAD1", "PAD2"],
    )


def test_a_model_in_memory_gives_a_call_from_python():
    given = {"model": "mine", "prompts": ["a", "b c"], "max_new_tokens": 3}
    settings = JudgeSettings(task="score", fail_on=Severity.WARNING)
    found = judge("compare", evidence(model=model_facts(weights=None), settings=given), settings)
    assert command_line(found) == (
        "padcheck.compare(model, tokenizer, prompts=['a', 'b c'], max_new_tokens=3, fail_on='warning', task='score')"
    )
