import pytest

from padcheck.core.facts import PaddingSide
from padcheck.core.padding import pad_ids, position_ids_from_mask


@pytest.mark.parametrize(
    ("side", "input_ids", "attention_mask"),
    [("left", (0, 0, 7, 8, 9), (0, 0, 1, 1, 1)), ("right", (7, 8, 9, 0, 0), (1, 1, 1, 0, 0))],
)
def test_pads_are_on_their_side_and_masked(
    side: PaddingSide, input_ids: tuple[int, ...], attention_mask: tuple[int, ...]
) -> None:
    assert pad_ids((7, 8, 9), 5, 0, side) == (input_ids, attention_mask)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_prompt_of_full_width_is_not_padded(side: PaddingSide) -> None:
    assert pad_ids((7, 8), 2, 0, side) == ((7, 8), (1, 1))


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_real_token_that_equals_pad_is_not_masked(side: PaddingSide) -> None:
    padded = pad_ids((0, 7, 0), 4, 0, side)
    assert sum(padded.attention_mask) == 3


@pytest.mark.parametrize(
    ("attention_mask", "position_ids"),
    [
        ((1, 1, 1), (0, 1, 2)),
        ((0, 0, 1, 1), (1, 1, 0, 1)),
        ((1, 1, 0, 0), (0, 1, 1, 1)),
        ((1, 1, 0, 0, 1), (0, 1, 1, 1, 2)),
        ((0, 0), (1, 1)),
        ((), ()),
    ],
    ids=["no pads", "left", "right", "right, then a new token", "only pads", "nothing"],
)
def test_positions_count_real_tokens_and_pads_get_one(
    attention_mask: tuple[int, ...], position_ids: tuple[int, ...]
) -> None:
    assert position_ids_from_mask(attention_mask) == position_ids
