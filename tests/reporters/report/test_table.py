import re

import pytest
from builders import (
    HOSTILE,
    SHORT,
    difference,
    differences,
    flip,
    gave,
    many_prompts,
    model_facts,
    no_padding,
    noise,
    probes,
    raised,
    report,
    row,
    run_result,
    runs,
    tokenizer_facts,
    unpadded_difference,
)
from rich.cells import cell_len

from padcheck.core.facts import PadTokenSuggestion
from padcheck.core.report import Command, Report
from padcheck.core.run_results import Row
from padcheck.reporters import Format, View, render
from padcheck.reporters.report.grid import grid
from padcheck.reporters.text.code import folded
from padcheck.reporters.text.visible import visible_token

LABELS = ("token ", "attention_mask ", "position_ids ", "from the mask ")
TOKENS = {
    "plain": " the",
    "wide": "日本",
    "wide and long": "日本語のとても長いトークンです",
    "long": "x" * 40,
    "as long as the limit": "x" * 16,
    "one more than the limit": "x" * 17,
    "wide across the limit": "x" + "日" * 9,
    "emoji": "👍🏽",
    "emoji by selector": "☺\ufe0f",
    "joined emoji": "👩\u200d💻",
    "combining accent": "e\u0301",
    "right to left": "שלום",
    "control characters": "\x1b[31m\x07",
    "line end": "\n",
    "only spaces": "   ",
}


def _table(shown: Report, **view: object) -> str:
    """Everything that --verbose shows."""
    return render(shown, Format.TABLE, View(**{"verbose": True} | view))


def _lines(shown: Row, width: int = 80) -> list[str]:
    return [line.plain for line in grid(shown, width)]


def _blocks(lines: list[str]) -> list[list[str]]:
    """The blocks of the grids among some lines."""
    return [lines[place : place + 4] for place, line in enumerate(lines) if line.startswith("token  ")]


def _grids(table: str) -> int:
    return len(re.findall(r"^attention_mask ", table, re.MULTILINE))


def _ends(line: str) -> list[int]:
    """The terminal cells at which the words of a line end."""
    return [cell_len(line[: word.end()]) for word in re.finditer(r"\S+", line)]


# The grid


def test_a_left_padded_row_column_by_column() -> None:
    assert _lines(row(prompt=SHORT, num_pads=2, side="left")) == [
        "token           ⟨pad⟩×2 ␣t10 │ ␣t20 ␣t21",
        "attention_mask      0×2    1 │    1    1",
        "position_ids        1×2    0 │    1    -",
        "from the mask       1×2    0 │    1    2",
    ]


def test_many_pads_take_one_column() -> None:
    shown = row(num_pads=26, prompt=SHORT, position_ids=(*range(27), 27, None))
    assert _lines(shown) == [
        "token           ⟨pad⟩×26 ␣t10 │ ␣t20 ␣t21",
        "attention_mask      0×26    1 │    1    1",
        "position_ids        0…25  26! │  27!    -",
        "from the mask       1×26    0 │    1    2",
    ]


def test_only_positions_of_real_tokens_are_marked() -> None:
    assert _lines(row(prompt=SHORT, num_pads=2, side="right", position_ids=(0, 7, 7, 3, None))) == [
        "token           ␣t10 ⟨pad⟩×2 │ ␣t20 ␣t21",
        "attention_mask     1     0×2 │    1    1",
        "position_ids       0     7×2 │   3!    -",
        "from the mask      0     1×2 │    1    2",
    ]


USED = {"positions_used_by": "table", "prompt": SHORT, "num_pads": 2}
NOTHING_RECEIVED = {"position_ids": (None,) * 5}


def test_used_positions_that_agree_with_received_ones_have_no_line() -> None:
    for used, by in (((1, 1, 0, 1, None), "table"), ((3, 3, 2, 3, None), "table"), ((0, 1, 2, 3, None), "rotary")):
        shown = row(**USED | {"positions_used": used, "positions_used_by": by})
        offset = used[2] if by == "table" else None
        assert [line.plain.split("  ")[0] for line in grid(shown, 80, offset)] == [label.strip() for label in LABELS]


def test_used_positions_that_differ_from_received_ones_stand_below_them() -> None:
    assert [line.plain for line in grid(row(**USED, positions_used=(0, 1, 2, 3, None)), 80, 0)] == [
        "token           ⟨pad⟩×2 ␣t10 │ ␣t20 ␣t21",
        "attention_mask      0×2    1 │    1    1",
        "position_ids        1×2    0 │    1    -",
        "positions used      0…1   2! │   3!    -",
        "from the mask       1×2    0 │    1    2",
    ]


def test_used_positions_replace_positions_that_forward_did_not_receive() -> None:
    shown = row(**USED, **NOTHING_RECEIVED, positions_used=(2, 3, 2, 5, None))
    assert [line.plain for line in grid(shown, 80, 2)] == [
        "token           ⟨pad⟩×2 ␣t10 │ ␣t20 ␣t21",
        "attention_mask      0×2    1 │    1    1",
        "positions used      2…3    2 │   5!    -",
        "from the mask       1×2    0 │    1    2",
    ]


def test_unknown_positions_are_dashes() -> None:
    assert _lines(row(**NOTHING_RECEIVED))[2].split() == ["position_ids", *"---", "│", *"--"]


def test_rotary_positions_and_positions_of_an_unknown_offset_are_compared_by_distance() -> None:
    shifted = {"positions_used": (0, 1, 2, 4, None)}
    for by, offset in (("rotary", 0), ("table", None)):
        shown = row(**USED | NOTHING_RECEIVED | shifted | {"positions_used_by": by})
        assert grid(shown, 80, offset)[2].plain.split() == ["positions", "used", "0…1", "2", "│", "4!", "-"]


def test_the_prompt_alone_gives_the_offset_of_the_position_table() -> None:
    used = {"position_ids": (None,) * 5, "positions_used_by": "table"}
    alone = row(positions_used=(2, 3, 4, 5, None), **used)
    behind_pads = row(1, prompt=SHORT, num_pads=2, positions_used=(2, 3, 4, 5, None), **used)
    shown = report(
        runs=runs(
            single=run_result(None, rows=(alone, row(1, prompt=SHORT))),
            left=run_result("left", rows=(alone, behind_pads)),
        )
    )
    lines = [line for line in _table(shown).splitlines() if line.startswith("positions used")]
    assert [line.split()[2:] for line in lines] == [["2", "3", "4", "│", "5", "-"], ["2…3", "4!", "│", "5!", "-"]]


def test_without_a_run_only_positions_from_the_mask_are_shown() -> None:
    assert _lines(row(prompt=SHORT, num_pads=1, new=())) == [
        "token           ⟨pad⟩ ␣t10",
        "attention_mask      0    1",
        "from the mask       1    0",
    ]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_every_column_ends_at_the_same_cell_in_all_four_lines(token: str) -> None:
    tokens, mask, *positions = _lines(row(tokens=(" a", token, "b", token, "c")))
    ends = _ends(mask)
    assert len(ends) == 1 + 5 + 1  # the label, the columns and the bar
    for line in (tokens, *positions):
        assert set(ends[1:]) <= set(_ends(line))
        assert cell_len(line[: line.index("│")]) == cell_len(mask[: mask.index("│")])


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_takes_no_more_than_the_limit(token: str) -> None:
    _, mask, *_ = _lines(row(tokens=("a", token, "b", "c", "d")))
    _, first, second, *_ = _ends(mask)
    assert second - first <= 16 + 1


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("x" * 16, "x" * 16),
        ("x" * 17, "x" * 15 + "…"),
        ("日" * 8, "日" * 8),
        ("日" * 9, "日" * 7 + " …"),
        ("\x07" * 5, r"\x07\x07\x07\x0…"),
    ],
)
def test_a_token_past_the_limit_is_cut_with_an_ellipsis(token: str, shown: str) -> None:
    assert f" {shown} │" in _lines(row(prompt=SHORT, tokens=(token, "b", "c")))[0]


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_row_is_folded_into_blocks_that_fit(width: int) -> None:
    long = row(prompt=tuple(range(10, 99)), tokens=tuple(TOKENS.values()) * 6 + ("a",))
    shown = report(runs=runs(single=run_result(None, rows=(long, row(1)))))
    lines = _table(shown, width=width).splitlines()
    blocks = _blocks(lines)
    assert all(line.startswith(label) for block in blocks for line, label in zip(block, LABELS, strict=True))
    assert max(cell_len(line) for block in blocks for line in block) <= width
    folded = _blocks(_lines(long, width))
    assert sum(len(_ends(mask)) - 1 - mask.count("│") for _, mask, *_ in folded) == len(long.input_ids)
    assert [mask.count("│") for _, mask, *_ in folded].count(1) == 1


def test_no_line_is_wider_than_the_screen() -> None:
    shown = report(
        prompts=("word " * 60, "日本" * 60),
        load_warnings=("x" * 300, "word " * 80),
        runs=runs(right=run_result("right", rows=(row(0, generated_text="x" * 300), row(1, prompt_text="日" * 90)))),
    )
    for verbose in (True, False):
        assert max(cell_len(line) for line in _table(shown, width=80, verbose=verbose).splitlines()) <= 80


# Text of the model


@pytest.mark.parametrize("text", ["[/INST]", "[bold]", ":cat:", "<s>", "[link=x]", r"\[b]", "{0}", "[red]日本[/]"])
def test_text_that_looks_like_markup_is_shown_unchanged(text: str) -> None:
    rows = tuple(row(index, tokens=(text,) * 5, prompt_text=text, generated_text=text) for index in (0, 1))
    shown = report(
        prompts=(text, text),
        tokenizer=tokenizer_facts(pad_token=text, pad_token_used=text, unk_token_id=0),
        load_warnings=(text,),
        runs=runs(single=run_result(None, rows=rows), right=raised("right", text)),
        differences=differences(right=()),
    )
    table = _table(shown, width=120)
    assert f"Prompt 0: {text} ─" in table
    assert f"single  {text} ▸ {text}" in table
    assert f"0 {text}" in table
    assert f"{text} {text}" in table
    assert f"loading  {text}" in table
    assert f"The pad token {text!r} (0)" in table
    assert f"raised: {text}" in table


def test_without_colour_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in _table(report(differences=differences(left=(unpadded_difference(None), difference(0.5)))))


def test_colour_changes_nothing_but_the_colour() -> None:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _table(report(), color=True))
    assert [line.rstrip() for line in plain.splitlines()] == _table(report()).splitlines()


def test_hostile_text_is_escaped_in_colour_too() -> None:
    table = _table(report(prompts=(HOSTILE, "one "), load_warnings=(HOSTILE,)), color=True, width=200)
    assert "\x1b[31m" not in table
    assert table.count(r"\x1b[31m\x07\r\u202e\u200b") == 2


def test_no_line_ends_in_spaces() -> None:
    assert [line for line in _table(report()).splitlines() if line != line.rstrip()] == []


# The report


def test_the_verdict_is_the_last_line() -> None:
    assert _table(report()).splitlines()[-1] == "PASS: left padding changes nothing"


def test_the_sections_come_in_order() -> None:
    shown = report(model=model_facts(embedding_rows=128), load_warnings=("careful",))
    assert re.findall(r"^(.+?) ─+$", _table(shown), re.MULTILINE) == [
        "padcheck compare some/model",
        "Special tokens",
        "Prompt 0: three token prompt",
        "Prompt 1: one␣",
        "Warnings of the libraries, by run",
        "Probes",
        "What rounding does",
        "Verdict",
        "Findings",
        "Advice",
    ]


def test_each_run_is_a_line_with_its_pads_on_their_side() -> None:
    lines = _table(report()).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("Prompt 1:")))
    assert lines[start + 1 : start + 4] == [
        "single  10 ▸ 20 21          the reference",
        "left    <pad>×2 10 ▸ 20 21  same tokens",
        "right   10 <pad>×2 ▸ 20 21  same tokens",
    ]


def test_verbose_shows_every_grid() -> None:
    table = _table(report(**many_prompts(9)))
    assert all(f"Prompt {index}: prompt number {index} ─" in table for index in range(9))
    assert _grids(table) == 1 + 8 * 3  # the three runs share the grid of the prompt that needs no pads


def test_verbose_shows_the_rules_that_were_not_decided() -> None:
    shown = report(runs=runs(right=raised("right")), differences=differences(right=()))
    [reason] = [skipped.reason for skipped in shown.skipped if skipped.code == "PAD202"]
    assert f"PAD202: {reason}" in _table(shown, width=200)
    assert "PAD202" not in _table(shown, verbose=False)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("color", [False, True], ids=["plain", "in colour"])
def test_a_fix_is_one_line_to_paste_however_long(width: int, color: bool) -> None:
    token = "<|" + "reserved_" * 20 + "|>"
    suggestion = PadTokenSuggestion(token=token, token_id=9, reason="by name")
    shown = report(tokenizer=tokenizer_facts(pad_token=None, pad_token_id=None, pad_token_suggestion=suggestion))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _table(shown, width=width, color=color))
    assert f"tokenizer.pad_token = '{token}'" in [line.strip().split("  #")[0] for line in plain.splitlines()]


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("color", [False, True], ids=["plain", "in colour"])
def test_advice_is_lines_to_paste_for_each_task(width: int, color: bool) -> None:
    shown = report()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _table(shown, width=width, color=color))
    section = [line.rstrip() for line in plain[plain.index("Advice ─") :].splitlines()]
    for advice in shown.advice:
        assert section[section.index(advice.task) + 1 :][: len(code := folded(advice.line, width - 4))] == [
            f"    {line}" for line in code
        ]
    assert section[-2:] == ["", "PASS: left padding changes nothing"]


def test_without_advice_there_is_no_section_for_it() -> None:
    assert "Advice" not in _table(report(**no_padding()))


def test_probes_that_did_not_run_are_named_below_the_others() -> None:
    sentence = (
        "Nothing is in doubt, so these expensive probes did not run (--thorough runs them): shifted, more pad counts."
    )
    shown = _table(report(left_out=("shifted",)), width=120)
    assert f"from forward\n{sentence}\n\nWhat rounding does ─" in shown
    assert "--thorough" not in _table(report(left_out=()))


def test_what_rounding_does_stands_above_the_verdict() -> None:
    shown = report(noise=noise(rounding_errors=0.02), **probes(left=0.03))
    lines = _table(shown, width=120).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("What rounding does ─")))
    section = lines[start + 1 : lines.index(next(line for line in lines if line.startswith("Verdict ─"))) - 1]
    assert section[:2] == [
        "measured  logits move by up to 0.02 in float32",
        "          0.02 with rounding_errors",
    ]
    assert section[-1] == "left      largest difference 0.03, rounding explains up to 0.04"


def test_tokens_that_compete_stand_in_the_verdict_with_escapes() -> None:
    shown = report(**gave(left=(unpadded_difference(0.0), difference(0.5, flip=flip(0, token=HOSTILE)))))
    table = _table(shown, width=300)
    verdict = next(line for line in table.splitlines() if line.startswith("left   different  prompt 1:"))
    assert f"single chose ␣t20 (leads by 1e-06), left chose {visible_token(HOSTILE)} (leads by 2e-06)" in verdict
    assert "\x1b" not in table


@pytest.mark.parametrize("command", ["compare", "inspect-tokenizer"])
def test_the_fixes_that_padcheck_writes_itself_are_whole_at_80_columns(command: Command) -> None:
    shown = report(
        command,
        tokenizer=tokenizer_facts(
            padding_side="right", pad_token="</s>", pad_token_id=2, saved_padding=True, saved_truncation=True
        ),
        model=model_facts(embedding_rows=128, max_position_embeddings=4),
        num_pad_tokens_in_prompts=1,
    )
    lines = [line.strip() for line in _table(shown, width=80).splitlines()]
    for line in (line for finding in shown.findings for line in finding.fix.splitlines()):
        assert set(folded(line, 76)) <= set(lines)


def test_an_inspection_shows_ids_and_columns_of_both_sides() -> None:
    table = _table(report("inspect-tokenizer", generation_config={"top_p": 0.9}))
    assert "[0, 0, 10]" in table
    assert "[10, 0, 0]" in table
    assert "position_ids" not in table
    assert "top_p=0.9" in table
