"""What a report says of how to get it again is what the command line takes."""

import shlex

import pytest
from builders import evidence, model_facts, report

from padcheck.judge import judge
from padcheck.reporters.reproduction import command, packages
from padcheck.settings import JudgeSettings, MeasureSettings
from padcheck.severity import Severity


def parsed(words: str, monkeypatch: pytest.MonkeyPatch) -> tuple[MeasureSettings, JudgeSettings]:
    """What the command makes of these words, without running anything."""
    from padcheck import cli, engine

    asked = []
    monkeypatch.setattr(engine, "compare", lambda measure, judgement, _: asked.append((measure, judgement)) or report())
    monkeypatch.setattr("sys.argv", shlex.split(words))
    with pytest.raises(SystemExit):
        cli.main()
    return asked[0]


@pytest.mark.parametrize(
    ("measure", "judgement"),
    [
        (MeasureSettings(), JudgeSettings()),
        (MeasureSettings(model="gpt2", revision="main", dtype="bfloat16", tiny=True, thorough=True), JudgeSettings()),
        (MeasureSettings(prompts=("-x", 'it\'s "this"', "two\nlines", "=")), JudgeSettings(atol=0.5, rtol=0.0)),
        (MeasureSettings(do_sample=True, temperature=0.5, top_k=3, seed=7, batch_size=2), JudgeSettings(fail_on=None)),
        (
            MeasureSettings(chat=True, max_new_tokens=3),
            JudgeSettings(
                select=("PAD1", "PAD2"),
                ignore={"PAD106": "left out by --ignore"},
                fail_on=Severity.WARNING,
                task="score",
                padding_side="right",
            ),
        ),
    ],
)
def test_the_command_asks_for_the_same(measure, judgement, monkeypatch, capsys):
    found = judge("compare", evidence(settings=measure.given), judgement)
    assert parsed(command(found), monkeypatch) == (measure, judgement)


def test_what_was_in_memory_is_a_call():
    given = {"model": "mine", "prompts": ("a", "b c"), "max_new_tokens": 3}
    found = judge("compare", evidence(model=model_facts(weights=None), settings=given), JudgeSettings(task="score"))
    assert command(found) == (
        "padcheck.compare(model, tokenizer, prompts=('a', 'b c'), max_new_tokens=3, task='score')"
    )


def test_the_versions_can_be_installed():
    line = packages(report())
    assert line.startswith("pip install padcheck==")
    assert "+" not in line.split("#")[0]
