"""The values of one prompt's real tokens are picked from tensors of every known layout."""

import pytest
import torch

from padcheck.hf.place.row_values import RealTokens

TOKENS = RealTokens(rows=2, columns=5, row=1, real=(2, 3, 4))


def numbered(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel()).view(shape).to(dtype)


HIDDEN, SHARED, FLAT = numbered(2, 5, 3), numbered(1, 5, 3), numbered(10, 3)
IDS, SECTIONS, LAST = numbered(2, 5, dtype=torch.int64), numbered(3, 2, 5, dtype=torch.int32), numbered(2, 1, 7)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (HIDDEN, HIDDEN[1, 2:]),
        (SHARED, SHARED[0, 2:]),
        (FLAT, FLAT[7:]),
        (IDS, IDS[1, 2:]),
        (SECTIONS, SECTIONS[:, 1, 2:].T),
        (LAST, LAST[1]),
    ],
    ids=["rows and columns", "one row for all", "flattened", "token ids", "three sections of positions", "last column"],
)
def test_layouts_with_columns(tensor: torch.Tensor, expected: torch.Tensor) -> None:
    (found,) = TOKENS.values({"name": tensor}).values()
    assert torch.equal(found.float(), expected.float())


@pytest.mark.parametrize(
    "tensor",
    [numbered(2, 1, 5, 5), numbered(5), numbered(2, 4, 5, 3), numbered(4, 3), torch.tensor(1.0)],
    ids=["mask", "slots", "heads", "some tokens", "number"],
)
def test_layouts_without_columns(tensor: torch.Tensor) -> None:
    assert TOKENS.values([tensor]) == {}


def test_a_mask_of_one_new_token_is_not_mistaken_for_columns() -> None:
    assert RealTokens(rows=2, columns=1, row=1, real=(0,)).values([numbered(2, 1, 1, 6)]) == {}


def test_the_last_column_is_left_out_if_it_is_a_pad() -> None:
    assert RealTokens(rows=2, columns=5, row=1, real=(0, 1)).values([LAST]) == {}


def test_nested_tensors_are_found_but_caches_are_not() -> None:
    found = TOKENS.values({"a": (None, [HIDDEN]), "past_key_values": (HIDDEN,), "b": "text", "c": 1})
    assert found.keys() == {("a", "1", "0")}


def test_picked_values_are_a_copy() -> None:
    hidden = HIDDEN.clone()
    (found,) = TOKENS.values([hidden]).values()
    hidden.zero_()
    assert torch.equal(found, HIDDEN[1, 2:])


def test_cos_and_sin_are_also_rotations() -> None:
    angles = torch.arange(5.0)[None, :, None] * torch.tensor([1.0, 0.1])
    found = TOKENS.values({"rotary": (angles.cos(), angles.sin()), "others": (HIDDEN, HIDDEN)})
    assert torch.allclose(found["rotary",].angle(), torch.arctan2(angles.sin(), angles.cos())[0, 2:])
    assert ("others",) not in found
