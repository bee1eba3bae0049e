"""What `compare` prints unless more is asked for: its limits, its order, and what it leaves to --verbose."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from builders import (
    HOSTILE,
    difference,
    differences,
    flip,
    in_half,
    many_prompts,
    model_facts,
    no_padding,
    probes,
    raised,
    report,
    row,
    run_result,
    runs,
    samples,
    special_token_ids,
    token_ids,
    tokenizer_facts,
    unpadded_difference,
)
from rich.cells import cell_len
from zoo.families import PROMPTS, tokenizer
from zoo.planting import Fault, planted
from zoo.positions import by_slot, by_slot_while_decoding

from padcheck import api
from padcheck.core.report import Report
from padcheck.core.run_results import Sample
from padcheck.core.settings import JudgeSettings
from padcheck.reporters import Format, View, render
from padcheck.reporters.text.code import folded

UNPADDED = unpadded_difference(0.0)
LONG = "word " * 400
WARNED = {
    "tokenizer": tokenizer_facts(padding_side="right", pad_token="</s>", pad_token_id=1, saved_padding=True),
    "special_token_ids": special_token_ids(config=token_ids(pad=5), generation_config=token_ids(pad=6, eos=(7,))),
    "model": model_facts(max_position_embeddings=4, embedding_rows=128, architecture="S" * 300),
    "num_pad_tokens_in_prompts": 3,
    "labels_keep_eos": False,
}
"""Evidence with many findings that are not errors."""


def _answer(shown: Report, **view: object) -> str:
    return render(shown, Format.TABLE, View(**view))


def _many(count: int, left: float = 0.0, **changes: object) -> Report:
    """Many prompts, each of hundreds of tokens, texts of hundreds of words, and 300 pads."""
    rows = {
        side: tuple(
            row(
                index,
                prompt=tuple(range(10, 300)),
                num_pads=300 * bool(side and index),
                side=side or "left",
                new=tuple(range(20, 90)),
                prompt_text=LONG,
                generated_text=LONG,
            )
            for index in range(count)
        )
        for side in (None, "left", "right")
    }
    wrong = (UNPADDED, *(difference(left, prompt_index=index, num_pads=300) for index in range(1, count)))
    right = (UNPADDED, *(difference(9.0, prompt_index=index, flip=flip(0)) for index in range(1, count)))
    built = many_prompts(count) | {
        "prompts": (LONG,) * count,
        "runs": runs(
            single=run_result(None, rows=rows[None]),
            left=run_result("left", rows=rows["left"]),
            right=run_result("right", rows=rows["right"]),
        ),
        "differences": differences(count=count, left=wrong, right=right),
    }
    return report(**built | changes)


LIMITS = {
    "pass": (report(), 40),
    "many prompts": (_many(200), 40),
    "many findings": (_many(200, **WARNED), 40),
    "fail": (_many(200, left=0.5), 60),
    "fail with many findings": (_many(200, left=0.5, **WARNED), 60),
    "16 bit": (report(**in_half("bfloat16", left=9.0, left_float32=0.5)), 60),
    "not measured": (report(**no_padding()), 60),
    "raised": (report(runs=runs(left=raised("left", HOSTILE * 3)), differences=differences(left=())), 60),
}


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(("shown", "most"), LIMITS.values(), ids=LIMITS)
def test_the_answer_has_a_limited_number_of_lines(shown: Report, most: int, width: int) -> None:
    lines = _answer(shown, width=width).splitlines()
    assert len(lines) <= most
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("count", [1, 4, 40])
def test_the_command_keeps_to_the_limit_with_a_real_model(
    padcheck: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    texts = ("Monday", "one two three four five six " * 15, "January February March", "three plus four is")
    prompts = [word for index in range(count) for word in ("--prompt", texts[index % len(texts)])]
    outcome = padcheck("compare", "demo", "--max-new-tokens", 30, *prompts)
    assert outcome.exit_code == 0
    lines = outcome.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= 80


@pytest.mark.parametrize("fault", [by_slot, by_slot_while_decoding])
def test_a_real_fault_shows_its_cause_and_the_line_to_change_within_the_limit(fault: Fault) -> None:
    shown = api.compare(planted(fault, "gpt2")(torch.float32), tokenizer(), PROMPTS, max_new_tokens=3)
    lines = _answer(shown).splitlines()
    assert len(lines) <= 60
    cause = next(finding for finding in shown.findings if finding.code.startswith("PAD3"))
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{cause.code} error"))
    assert start < 12
    code = [part for line in cause.fix.splitlines() for part in folded(line, 76)]
    assert [f"    {line}" for line in code] == [line for line in lines[start:] if line.startswith("    ")][: len(code)]


def test_the_answer_comes_first() -> None:
    answer = _answer(_many(9, left=0.5))
    order = ["FAIL: left padding changes", "\nleft   different", "PAD201 error", "Prompt 1: ", "8 more prompts, "]
    places = [answer.index(part) for part in order]
    assert places == sorted(places)
    assert answer.splitlines()[2].startswith("FAIL")


def test_the_prompt_that_padding_changes_most_is_shown() -> None:
    rows = (UNPADDED, *(difference(0.5 + index, prompt_index=index) for index in (1, 2, 3)), *many_right(4, 9))
    shown = report(**many_prompts(9) | {"differences": differences(count=9, left=rows)})
    assert "Prompt 3: prompt number 3 ─" in _answer(shown)
    assert "Prompt 2" not in _answer(shown)


def many_right(first: int, count: int) -> tuple[object, ...]:
    return tuple(difference(0.0, prompt_index=index) for index in range(first, count))


def test_a_healthy_model_shows_a_prompt_with_pads() -> None:
    assert "Prompt 1: one␣ ─" in _answer(report())


def test_the_columns_of_each_run_are_in_the_answer() -> None:
    lines = _answer(report()).splitlines()
    start = lines.index("left            ⟨pad⟩×2 ␣t10 │ ␣t20 ␣t21")
    assert lines[start + 1 : start + 3] == [
        "attention_mask      0×2    1 │    1    1",
        "position_ids        1×2    0 │    1    -",
    ]


def test_positions_from_the_mask_are_shown_if_the_model_got_others() -> None:
    odd = run_result("left", rows=(row(0), row(1, prompt=(10,), num_pads=2, position_ids=(0, 1, 2, 3, None))))
    answer = _answer(report(runs=runs(left=odd)))
    assert "position_ids        0…1   2! │   3!    -\nfrom the mask       1×2    0 │    1    2" in answer
    assert answer.count("from the mask ") == 1
    assert "! not the position from the mask" in answer
    assert "! not the position" not in _answer(report())


def test_the_columns_of_a_long_prompt_are_those_around_the_first_new_token() -> None:
    lines = _answer(_many(2)).splitlines()
    left = next(line for line in lines if line.startswith("left            "))
    assert "⟨pad⟩×300" in left
    assert "␣t298 ␣t299 │ ␣t20 ␣t21" in left
    hidden, shown = sum(map(int, re.findall(r"…×(\d+)", left))), len(re.findall(r"␣t\d+", left))
    assert hidden + shown == 290 + 70


def test_a_right_padded_difference_is_no_surprise() -> None:
    wrong = {"differences": differences(right=(UNPADDED, difference(0.5)))}
    expected = "right  different  as expected: generate() continues from a pad (1 of 2 prompts)"
    assert expected in _answer(report(**wrong))
    on_purpose = _answer(report(settings=JudgeSettings(task="generate", padding_side="right"), **wrong))
    assert "as expected" not in on_purpose
    assert "FAIL: right padding changes" in on_purpose


def test_a_control_that_shows_is_no_surprise() -> None:
    everything = _answer(report(), verbose=True)
    assert re.search(r"broken_mask: broken_mask +different \(expected\)", everything)


@pytest.mark.parametrize("verbose", [False, True])
def test_only_the_side_and_the_task_that_the_caller_uses_are_shown(verbose: bool) -> None:
    settings = JudgeSettings(task="generate", padding_side="left")
    answer = _answer(
        report(settings=settings, differences=differences(right=(UNPADDED, difference(0.5)))), verbose=verbose
    )
    assert "generating with padding on the left" in answer
    assert not re.search(r"^right|right_forward|scoring|training", answer, re.MULTILINE)


def test_scores_are_shown_if_the_caller_scores() -> None:
    settings = JudgeSettings(task="score", padding_side="right")
    answer = _answer(report(settings=settings, **probes(right_forward=0.5)))
    assert re.search(r"^right_forward  different ", answer, re.MULTILINE)
    assert not re.search(r"^(left|single) ", answer, re.MULTILINE)


def test_findings_that_share_a_fix_show_it_once() -> None:
    shown = report(
        tokenizer=tokenizer_facts(padding_side="right"), differences=differences(right=(UNPADDED, difference(0.5)))
    )
    answer = _answer(shown)
    assert {"PAD106", "PAD202"} <= {finding.code for finding in shown.findings}
    assert answer.count('tokenizer.padding_side = "left"') == 1


def test_a_cause_stands_before_what_it_causes() -> None:
    answer = _answer(report(**probes(left=0.5, scrambled=0.5)))
    assert 0 < answer.index("PAD301 error") < answer.index("PAD201 error")


def test_every_finding_is_at_least_named() -> None:
    shown = _many(200, **WARNED)
    answer = _answer(shown, width=200)
    assert [finding.code for finding in shown.findings if finding.code not in answer] == []


def test_a_model_that_could_not_run_has_no_prompt() -> None:
    failed = {"single": raised(None), "left": raised("left"), "right": raised("right")}
    answer = _answer(report(runs=failed, differences={}, samples=samples(left=Sample(error="no"))))
    assert "Prompt" not in answer
    assert "\n\n\n" not in answer


def test_texts_that_flip_at_near_ties_are_in_the_headline_and_the_verdict() -> None:
    near_tie = (UNPADDED, difference(1e-5, flip=flip(0)))
    answer = _answer(report(differences=differences(left=near_tie)), width=120)
    assert "PASS: left padding changes nothing beyond float32 rounding; 1 of 2 texts flips at near ties\n" in answer
    assert "left   equivalent  1 of 2 texts flips at near ties; largest difference 1e-05" in answer
