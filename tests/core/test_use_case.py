"""The verdict is about the use case that the caller names."""

import json

import pytest
from builders import difference as off
from builders import differences, gave, probes, raised, report, runs, samples, tokenizer_facts, unpadded_difference

from padcheck.core.report import Report
from padcheck.core.run_results import Sample
from padcheck.core.settings import JudgeSettings
from padcheck.core.use_case import UseCase
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.report.wording.verdicts import rows as verdicts

LEFT_WRONG = {"left": (unpadded_difference(0.0), off(0.5))}
RIGHT_WRONG = {"right": (unpadded_difference(0.0), off(0.5))}
GENERATE_LEFT, GENERATE_RIGHT = (UseCase(task="generate", padding_side=side) for side in ("left", "right"))
SCORE_LEFT, SCORE_RIGHT = (UseCase(task="score", padding_side=side) for side in ("left", "right"))
TRAIN_RIGHT = UseCase(task="train", padding_side="right")


def judged(use: UseCase, **changes: object) -> Report:
    return report(settings=JudgeSettings(task=use.task, padding_side=use.padding_side), **changes)


def codes(use: UseCase, **changes: object) -> set[str]:
    return {finding.code for finding in judged(use, **changes).findings}


@pytest.mark.parametrize(
    ("changes", "code", "fires", "silent"),
    [
        (
            gave(**LEFT_WRONG),
            "PAD201",
            (GENERATE_LEFT, UseCase()),
            (GENERATE_RIGHT, SCORE_LEFT, SCORE_RIGHT, TRAIN_RIGHT),
        ),
        (gave(**RIGHT_WRONG), "PAD202", (GENERATE_RIGHT, UseCase()), (GENERATE_LEFT, SCORE_RIGHT, TRAIN_RIGHT)),
        (
            probes(right_forward=0.5),
            "PAD402",
            (SCORE_RIGHT, TRAIN_RIGHT, UseCase(task="score")),
            (SCORE_LEFT, GENERATE_LEFT),
        ),
        (probes(left_forward=0.5), "PAD401", (SCORE_LEFT, UseCase(task="train")), (SCORE_RIGHT, GENERATE_LEFT)),
        (probes(left_forward=0.5, left_forward_positions=0.5), "PAD404", (SCORE_LEFT,), (SCORE_RIGHT, GENERATE_LEFT)),
        (
            {"tokenizer": tokenizer_facts(padding_side="right")},
            "PAD106",
            (UseCase(task="generate"), UseCase()),
            (GENERATE_LEFT, SCORE_RIGHT, UseCase(task="train"), UseCase(padding_side="left")),
        ),
        ({"labels_keep_eos": False}, "PAD403", (TRAIN_RIGHT, UseCase()), (SCORE_RIGHT, GENERATE_LEFT)),
        ({"runs": runs(right=raised("right"))}, "PAD902", (GENERATE_RIGHT, UseCase()), (GENERATE_LEFT,)),
        ({"samples": samples(right=Sample(error="no"))}, "PAD108", (SCORE_RIGHT, UseCase()), (GENERATE_LEFT,)),
    ],
)
def test_a_rule_fires_only_for_the_use_cases_it_concerns(changes, code, fires, silent) -> None:
    for use in fires:
        assert code in codes(use, **changes), use
    for use in silent:
        assert code not in codes(use, **changes), use


def test_a_rule_that_does_not_concern_the_use_case_is_skipped_with_the_reason() -> None:
    skipped = {each.code: each.reason for each in judged(SCORE_RIGHT, **gave(**LEFT_WRONG)).skipped}
    assert skipped["PAD201"] == "says nothing about scoring with padding on the right"


@pytest.mark.parametrize(("use", "exit_code"), [(GENERATE_RIGHT, 1), (GENERATE_LEFT, 0), (UseCase(), 0)])
def test_right_padded_generation_fails_only_if_the_model_is_used_like_that(use, exit_code) -> None:
    assert judged(use, **gave(**RIGHT_WRONG)).exit_code == exit_code


@pytest.mark.parametrize(
    ("use", "changes", "sentence"),
    [
        (GENERATE_RIGHT, gave(**RIGHT_WRONG), "FAIL: right padding changes what the model says (1 error)"),
        (GENERATE_LEFT, gave(**RIGHT_WRONG), "PASS: left padding changes nothing"),
        (SCORE_RIGHT, gave(**LEFT_WRONG), "PASS: right padding for scoring and training changes nothing"),
        (
            SCORE_LEFT,
            probes(left_forward=0.5, left_forward_positions=0.5),
            "FAIL: left padding for scoring and training, with position_ids, changes what the model says (1 error)",
        ),
        (
            UseCase(),
            gave(**RIGHT_WRONG),
            "PASS: left padding changes nothing; right-padded generate() differs, as expected (1 warning)",
        ),
    ],
)
def test_the_conclusion_is_about_the_use_case(use, changes, sentence) -> None:
    assert conclusion(judged(use, **changes)) == sentence


def test_without_the_run_that_decides_the_use_case_nothing_is_measured() -> None:
    changes = {"runs": runs(right_forward=raised("right")), "differences": differences(right_forward=())}
    assert judged(SCORE_RIGHT, **changes).exit_code == 3
    assert judged(GENERATE_LEFT, **changes).exit_code == 0


def test_the_use_case_comes_from_the_command_line(padcheck, tmp_path) -> None:
    def ends(*words: object) -> tuple[int, dict]:
        outcome = padcheck(*words, "--format", "json")
        return outcome.exit_code, outcome.report

    used = ("--task", "generate", "--padding-side", "right")
    exit_code, found = ends("compare", "demo", *used, "--max-new-tokens", 2)
    assert exit_code == 1
    assert (found["judgement"]["task"], found["judgement"]["padding_side"]) == ("generate", "right")
    (tmp_path / "report.json").write_text(json.dumps(found), encoding="utf-8")
    # Another use case of the same model, judged without running it again.
    exit_code, found = ends("render", tmp_path / "report.json", "--task", "score", "--padding-side", "right")
    assert exit_code == 0
    assert "PAD202" not in {finding["code"] for finding in found["findings"]}
    assert (found["judgement"]["task"], found["judgement"]["padding_side"]) == ("score", "right")
    shown = padcheck("render", tmp_path / "report.json", *used).stdout
    assert "generating with padding on the right" in shown
    assert "FAIL: right padding changes what the model says" in " ".join(shown.split())


@pytest.mark.parametrize("options", [("--task", "sing"), ("--padding-side", "top")])
def test_a_task_or_side_that_does_not_exist_is_a_wrong_command_line(padcheck, options) -> None:
    assert padcheck("compare", "demo", *options).exit_code == 2


def test_the_run_that_decides_the_verdict_is_shown_with_the_user_runs() -> None:
    shown = [name for name, _, _ in verdicts(judged(UseCase(task="score", padding_side="right")))]
    assert "right_forward" in shown
    assert "right_forward" not in [name for name, _, _ in verdicts(judged(UseCase()))]
