import pytest
from builders import PAD, SHORT, ask, batch, finding, row, samples

from padcheck.core.run_results import Sample
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad107_padding_side_ignored import PaddingSideIgnored


def test_fires_if_the_other_side_was_padded() -> None:
    found = finding(PaddingSideIgnored(), samples=samples(left=Sample(rows=batch("right", new=()))))
    assert found.severity is Severity.ERROR
    assert "Asked to pad on the left, the tokenizer (SomeTokenizer)" in found.message
    assert found.evidence == {"wrong_row_by_side": {"left": 1}}
    assert "SomeTokenizer._pad()" in found.fix


@pytest.mark.parametrize(
    "changes",
    [{"input_ids": (7, 7, 10)}, {"attention_mask": (0, 1, 0)}, {"attention_mask": (1, 1, 1)}],
    ids=["another id than pad", "a hole in the mask", "pads not masked"],
)
def test_fires_if_the_side_is_right_and_the_padding_is_not(changes: dict[str, tuple[int, ...]]) -> None:
    padded = row(1, prompt=SHORT, num_pads=2, new=(), **changes)
    found = finding(PaddingSideIgnored(), samples=samples(left=Sample(rows=(padded,))))
    assert found.evidence == {"wrong_row_by_side": {"left": 1}}


def test_names_both_sides_if_both_are_wrong() -> None:
    swapped = samples(left=Sample(rows=batch("right", new=())), right=Sample(rows=batch("left", new=())))
    assert "on the left and right" in finding(PaddingSideIgnored(), samples=swapped).message


def test_silent_if_no_row_needs_padding() -> None:
    same = Sample(rows=(row(0, new=()), row(1, new=())))
    tokens = (same.rows[0].attention_mask.count(1),) * 2
    assert ask(PaddingSideIgnored(), samples={"left": same, "right": same}, num_prompt_tokens=tokens) is None


def test_silent_if_a_text_begins_and_ends_with_the_pad_token() -> None:
    text = row(prompt=(PAD, 10, PAD), num_pads=1, new=())
    assert ask(PaddingSideIgnored(), samples=samples(left=Sample(rows=(text,)))) is None


def test_still_judges_the_side_that_did_not_raise() -> None:
    wrong = samples(left=Sample(error="TypeError: no"), right=Sample(rows=batch("left", new=())))
    assert finding(PaddingSideIgnored(), samples=wrong).evidence == {"wrong_row_by_side": {"right": 1}}


def test_skipped_if_either_side_raised() -> None:
    broken = Sample(error="TypeError: no")
    outcome = ask(PaddingSideIgnored(), samples={"left": broken, "right": broken})
    assert outcome == Skipped(code="PAD107", reason="undecided: the tokenizer raised on both sides")
