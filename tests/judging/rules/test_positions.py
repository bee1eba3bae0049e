import pytest
from builders import SHORT, row

from padcheck.core.run_results import PositionsUsedBy, Row
from padcheck.judging.position_numbering import counted_from_slots

ALONE = (0, 1, 2)


def alone(by: PositionsUsedBy, *used: int | None) -> Row:
    return row(positions_used=(*used, 3, None), positions_used_by=by)


def padded(by: PositionsUsedBy, *used: int | None) -> Row:
    """With two pads, whose positions say nothing."""
    return row(num_pads=2, positions_used=(7, 9, *used, 3, None), positions_used_by=by)


@pytest.mark.parametrize(
    ("by", "behind_pads", "counted"),
    [
        ("table", (0, 1, 2), False),
        ("table", (2, 3, 4), True),
        ("table", (0, 1, 1), True),
        ("rotary", (0, 1, 2), False),
        ("rotary", (2, 3, 4), False),
        ("rotary", (0, 1, 1), True),
    ],
)
def test_a_table_has_to_give_the_same_positions_and_rotary_ones_the_same_distances(
    by: PositionsUsedBy, behind_pads: tuple[int, ...], counted: bool
) -> None:
    assert counted_from_slots(alone(by, *ALONE), padded(by, *behind_pads)) is counted


def test_the_offset_of_a_table_does_not_matter() -> None:
    assert not counted_from_slots(alone("table", 2, 3, 4), padded("table", 2, 3, 4))
    assert counted_from_slots(alone("table", 2, 3, 4), padded("table", 4, 5, 6))


def test_pads_on_the_right_and_new_tokens_say_nothing_of_the_prompt() -> None:
    right = row(num_pads=2, side="right", positions_used=(*ALONE, 9, 9, 5, None), positions_used_by="table")
    assert not counted_from_slots(alone("table", *ALONE), right)


@pytest.mark.parametrize("unknown", [row(num_pads=2), padded("table", 2, None, 4)], ids=["all", "one"])
def test_nothing_is_said_if_a_position_is_unknown(unknown: Row) -> None:
    assert not counted_from_slots(alone("table", *ALONE), unknown)
    assert not counted_from_slots(unknown, padded("table", 2, 3, 4))


def test_rows_of_one_token_have_no_distances() -> None:
    one = row(prompt=SHORT, positions_used=(0, 1, None), positions_used_by="rotary")
    behind_pads = row(prompt=SHORT, num_pads=2, positions_used=(0, 1, 2, 3, None), positions_used_by="rotary")
    assert not counted_from_slots(one, behind_pads)
