import pytest
from builders import (
    ask,
    difference,
    finding,
    gave,
    in_half,
    model_facts,
    probes,
    rows_of,
    sweep,
    unpadded_difference,
    without,
)
from msgspec.structs import replace

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad302_positions_count_padding import PositionsCountPadding

SHIFTED_SAYS_THE_SAME = {"left": 0.5, "shifted": 1e-6, "other_positions": 0.5}
UNREAD = {"left": 0.5, "shifted": 0.5, "other_positions": 0.0}
EVER_FURTHER = sweep({1: 0.2, 2: 0.4, 3: 0.6})
LEARNED = model_facts(position_encoding="learned")
TAKES_NONE = "TypeError: forward() takes no position_ids"


def not_run(error: str) -> dict[str, object]:
    """Left padding changes the first token, and the probes that pass position_ids raise this."""
    changes = gave(left=rows_of("left", 0.5), shifted=(), other_positions=())
    broken = {name: replace(changes["runs"][name], rows=(), error=error) for name in ("shifted", "other_positions")}
    return changes | {"runs": changes["runs"] | broken}


def test_fires_if_shifted_positions_alone_do_what_the_pads_do() -> None:
    found = finding(PositionsCountPadding(), **probes(**SHIFTED_SAYS_THE_SAME))
    assert found.severity is Severity.ERROR
    assert "(the prompt alone, with the positions it has after its pads, gives the same logits)" in found.message
    assert "largest difference 0.5 (prompt 1), rounding explains up to 0.0002" in found.message
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4)}
    assert "position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)" in found.fix


def looked_up(alone: tuple[int, ...], behind_pads: tuple[int | None, ...], by: str = "table") -> dict[str, object]:
    """The short prompt has two pads before it in the left-padded batch; it and its two new tokens used these rows."""
    changes = probes(left=0.5)
    used = {"single": alone, "left": behind_pads}
    for name, positions in used.items():
        first, second = changes["runs"][name].rows
        second = replace(second, positions_used=positions, positions_used_by=by)
        changes["runs"][name] = replace(changes["runs"][name], rows=(first, second))
    return changes


def test_fires_if_other_rows_of_the_table_are_looked_up_with_pads() -> None:
    found = finding(PositionsCountPadding(), **looked_up((2, 3, None), (2, 3, 4, 5, None)))
    assert "(the model looks up other rows of its position table with pads)" in found.message


@pytest.mark.parametrize(
    ("behind_pads", "by"),
    [((1, 1, 2, 3, None), "table"), ((), "table"), ((0, 1, 2, 3, None), "rotary")],
    ids=["the same rows", "unknown", "a shift of rotary positions"],
)
def test_silent_if_the_positions_used_explain_nothing(behind_pads: tuple[int | None, ...], by: str) -> None:
    assert ask(PositionsCountPadding(), **looked_up((2, 3, None), behind_pads, by)) is None


def test_of_a_model_in_16_bit_the_positions_used_in_float32_count() -> None:
    changes = in_half("bfloat16", left_float32=0.5)
    for name, positions in {"single_float32": (0, 1, None), "left_float32": (0, 1, 2, 3, None)}.items():
        first, second = changes["runs"][name].rows
        second = replace(second, positions_used=positions, positions_used_by="table")
        changes["runs"][name] = replace(changes["runs"][name], rows=(first, second))
    assert "other rows of its position table" in finding(PositionsCountPadding(), **changes).message


@pytest.mark.parametrize("encoding", ["learned", "sinusoidal"])
def test_fires_if_a_model_with_a_table_of_positions_does_not_read_them(encoding: str) -> None:
    model = model_facts(position_encoding=encoding)
    found = finding(PositionsCountPadding(), model=model, sweep=EVER_FURTHER, **probes(**UNREAD))
    assert found.severity is Severity.ERROR
    assert "(position_ids are not read: reversed, they change nothing)" in found.message
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4)}


def test_fires_if_a_model_with_a_table_of_positions_takes_none() -> None:
    found = finding(PositionsCountPadding(), model=LEARNED, sweep=EVER_FURTHER, **not_run(TAKES_NONE))
    assert "(forward() takes no position_ids)" in found.message


def test_silent_if_other_positions_raised_for_another_reason() -> None:
    changes = not_run("IndexError: index out of range in self")
    assert ask(PositionsCountPadding(), model=LEARNED, sweep=EVER_FURTHER, **changes) is None


@pytest.mark.parametrize("encoding", ["rotary", "alibi", "relative", "none", "unknown"])
def test_silent_if_a_model_has_no_table_to_look_positions_up_in(encoding: str) -> None:
    model = model_facts(position_encoding=encoding)
    assert ask(PositionsCountPadding(), model=model, sweep=EVER_FURTHER, **probes(**UNREAD)) is None


@pytest.mark.parametrize(
    ("swept", "measured"),
    [
        (EVER_FURTHER, UNREAD | {"other_positions": 1e-7}),
        (sweep({1: 0.4, 2: 0.4, 3: 0.4}), UNREAD),
        (sweep({1: 0.4, 2: 0.5, 3: 0.6, 4: 0.0, 8: 0.0, 9: 0.5}), UNREAD),
        (None, UNREAD),
        (sweep({1: 0.2, 2: 0.4}, error="IndexError: no"), UNREAD),
    ],
    ids=["they are read", "the same for any number of pads", "blocks of four", "no sweep", "the sweep raised"],
)
def test_silent_if_it_is_not_shown_that_positions_are_counted_by_slot(
    swept: object, measured: dict[str, float]
) -> None:
    assert ask(PositionsCountPadding(), model=LEARNED, sweep=swept, **probes(**measured)) is None


@pytest.mark.parametrize(
    "left", [rows_of("left", 1e-6), rows_of("left", 0.0, 0.5), rows_of("left", None)], ids=["right", "later", "NaN"]
)
def test_silent_if_the_first_token_of_a_padded_row_is_not_off(left: tuple[object, ...]) -> None:
    rows = {name: rows_of(name, 0.0) for name in ("shifted", "other_positions")}
    assert ask(PositionsCountPadding(), model=LEARNED, sweep=EVER_FURTHER, **gave(left=left, **rows)) is None


def test_silent_if_one_of_the_prompts_gives_other_logits_when_it_is_shifted() -> None:
    rows = {
        "left": (unpadded_difference(0.0), difference(0.5), difference(0.4, prompt_index=2)),
        "shifted": (*rows_of("shifted", 0.0), difference(0.3, prompt_index=2, num_pads=0)),
    }
    assert ask(PositionsCountPadding(), **gave(**rows)) is None


@pytest.mark.parametrize("measured", [SHIFTED_SAYS_THE_SAME, UNREAD], ids=["shifted", "not read"])
def test_silent_if_the_pads_are_seen(measured: dict[str, float]) -> None:
    assert ask(PositionsCountPadding(), model=LEARNED, sweep=EVER_FURTHER, **probes(scrambled=0.5, **measured)) is None


def test_silent_if_the_expensive_probes_did_not_run() -> None:
    assert ask(PositionsCountPadding(), model=LEARNED, sweep=EVER_FURTHER, **probes(left=0.5)) is None


def test_a_prompt_whose_batch_called_for_no_expensive_probe_shows_nothing() -> None:
    """Under --atol 0 a row may be off that was within rounding while it was measured, and was not shifted."""
    rows = {
        "left": (unpadded_difference(0.0), difference(1e-6), difference(0.5, prompt_index=2)),
        "shifted": (difference(0.0, prompt_index=2, num_pads=0),),
    }
    assert ask(PositionsCountPadding(), atol=0.0, rtol=0.0, **gave(**rows)) is None


def test_skipped_if_the_scrambled_run_did_not_run() -> None:
    outcome = ask(PositionsCountPadding(), **probes(**SHIFTED_SAYS_THE_SAME) | without("scrambled"))
    assert isinstance(outcome, Skipped)
