"""The time of each stage: in JSON, and on stderr with --verbose."""

import re

import pytest
from conftest import run_in_process

from padcheck.core.progress import Silent, Stopwatch

QUICK = ("--max-new-tokens", "2", "--prompt", "one two three", "--prompt", "one")
AROUND = ("import", "tokenizer", "tokenize", "weights")
RUNS = (
    *("single", "left", "right", "stand_ins", "replayed", "noise", "left_alone", "batched", "scrambled"),
    *("left_no_mask", "forward", "left_forward", "left_forward_positions", "left_forward_no_mask", "right_forward"),
    *("right_forward_no_mask", "right_continued", "broken_mask", "forward_again", "screen"),
)
"""The stages between loading and judging if nothing differs, in their order."""


class Said(Silent):
    """Remembers the stages."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, str, bool]] = []

    def stage(self, description, key, *, downloads=False):
        self.stages.append((description, key, downloads))
        return super().stage(description, key, downloads=downloads)


@pytest.fixture
def clock(monkeypatch):
    """Moves on by one second each time it is read."""
    seconds = iter(range(1000))
    monkeypatch.setattr("padcheck.core.progress.time.perf_counter", lambda: float(next(seconds)))


def test_a_stage_is_timed_and_passed_on(clock):
    said = Said()
    watch = Stopwatch(said)
    with watch.stage("loading", "weights", downloads=True):
        pass
    assert watch.seconds == {"weights": 1.0}
    assert said.stages == [("loading", "weights", True)]


def test_stages_that_run_once_per_batch_add_up_and_a_stage_that_raises_counts(clock):
    watch = Stopwatch(Silent())
    with watch.stage("the left-padded batch", "left"):
        pass
    with pytest.raises(ValueError, match="no"), watch.stage("the left-padded batch", "left"):
        raise ValueError("no")
    assert watch.seconds == {"left": 2.0}


def test_the_json_says_how_long_each_stage_took():
    seconds = run_in_process("compare", "demo", *QUICK, "--format", "json").report["seconds"]
    assert list(seconds) == [*AROUND, *RUNS, "judge", "render"]
    assert all(taken > 0 for taken in seconds.values())


def test_each_run_has_its_own_time():
    report = run_in_process("compare", "demo", *QUICK, "--thorough", "--format", "json").report
    others = {"stand_ins", "noise", "screen", "pad_counts", "judge", "render"}
    assert set(report["seconds"]) == {*AROUND, *report["arms"], *others}


def test_inspecting_a_tokenizer_has_only_its_own_stages():
    report = run_in_process("inspect-tokenizer", "demo", "--format", "json").report
    assert list(report["seconds"]) == ["import", "tokenizer", "tokenize", "judge", "render"]


def test_verbose_shows_the_times_on_stderr_below_the_report():
    outcome = run_in_process("compare", "demo", *QUICK, "--verbose")
    # A machine that takes ten seconds for it also writes progress.
    title, *lines = (line for line in outcome.stderr.splitlines() if not line.startswith("padcheck: "))
    assert re.fullmatch(r"where the \d+\.\d s went:", title)
    stages = [re.fullmatch(r" +\d+\.\d\d  (\w+)", line)[1] for line in lines]
    assert stages == [*AROUND, *RUNS, "judge", "render"]
    assert "where the" not in run_in_process("compare", "demo", *QUICK).stderr


def test_a_saved_report_keeps_the_times_of_its_run(tmp_path):
    saved = tmp_path / "report.json"
    measured = run_in_process("compare", "demo", *QUICK, "--format", "json")
    saved.write_text(measured.stdout, encoding="utf-8")
    rendered = run_in_process("render", saved, "--format", "json", "--atol", "1", "--verbose")
    assert rendered.report["seconds"] == measured.report["seconds"]
    assert rendered.stderr.splitlines()[-1].endswith("  render")
