"""Which rows are recognised, and which are left alone because two readings are possible."""

import pytest

from padcheck.watching.rows import KnownRows, Padded, Remembered, _cut, as_bytes, from_bytes

PAD, EOS = 7, 9


@pytest.fixture
def rows():
    rows = KnownRows()
    rows.add_pad(PAD, EOS)
    rows.add([PAD, PAD, 1, 2, 3], [0, 0, 1, 1, 1])
    return rows


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ([PAD, PAD, 1, 2, 3], Padded(2, 5, 5)),
        ([1, 2, 3], Padded(0, 3, 3)),
        ([1, 2, 3, PAD], Padded(0, 3, 4)),
        ([0, 1, 2, 3, 0, 0], Padded(1, 4, 6)),  # pad_sequence() pads with 0
        ([5, 1, 2, 3], None),  # 5 is the id of no pad, so this is another text
        ([1, 2], None),
        ([PAD, PAD, PAD], None),
        ([], None),
    ],
)
def test_a_known_text_is_found_wherever_its_pads_are(rows, row, found):
    assert rows.find(row) == found


def test_appended_tokens_follow_the_mask(rows):
    row, mask = [PAD, PAD, 1, 2, 3, 4, PAD], [0, 0, 1, 1, 1, 1, 0]
    found = rows.find(row, mask)
    assert found == Padded(2, 5, 5)
    assert found.real(7, mask) == [bool(one) for one in mask]
    assert found.real(7, None) == [False, False, True, True, True, True, True]


def test_a_text_that_ends_in_the_pad_is_told_apart_by_its_mask_or_not_at_all(rows):
    rows.add([1, 2, 3, EOS])
    row = [1, 2, 3, EOS]
    assert rows.find(row) is None
    assert rows.find(row, [1, 1, 1, 0]) == Padded(0, 3, 4)
    assert rows.find(row, [1, 1, 1, 1]) == Padded(0, 4, 4)


def test_a_padded_row_that_a_tokenizer_made_needs_no_mask(rows):
    rows.add([1, 2, 3, EOS, EOS], [1, 1, 1, 1, 0])
    assert rows.find([1, 2, 3, EOS, EOS]) == Padded(0, 4, 5)


def test_a_mask_with_a_hole_is_not_from_padding(rows):
    rows.add([4, 5, 6], [1, 0, 1])
    assert rows.find([4, 5, 6]) is None


def test_the_oldest_rows_are_forgotten(rows, monkeypatch):
    monkeypatch.setattr("padcheck.watching.rows._LARGEST", 3)
    for token in range(20, 24):
        rows.add([token])
    assert rows.find([1, 2, 3]) is None
    assert rows.find([23]) == Padded(0, 1, 1)


def test_a_row_of_pads_only_takes_no_longer_than_any_other(rows, monkeypatch):
    cuts = []
    monkeypatch.setattr("padcheck.watching.rows._cut", lambda *given: cuts.append(given) or _cut(*given))
    for length in range(1, 200):
        rows.add([1] * length)
    assert rows.find([PAD] * 512) is None
    assert len(cuts) < 1000  # and not 512 for each of 200 lengths


def test_a_text_of_pads_is_found_by_its_mask(rows):
    rows.add([PAD, PAD])
    assert rows.find([PAD, PAD, PAD], [0, 1, 1]) == Padded(1, 3, 3)
    assert rows.find([PAD, PAD, PAD], [1, 1, 0]) == Padded(0, 2, 3)
    assert rows.find([PAD, PAD, PAD]) is None


def test_a_row_of_bytes_keeps_its_ids():
    assert from_bytes(as_bytes([0, -1, 2**40])) == [0, -1, 2**40]


def test_a_smaller_memory_forgets_earlier():
    remembered = Remembered[str](2)
    for token in range(3):
        remembered.add(as_bytes([token]), str(token))
    assert [remembered.get(as_bytes([token])) for token in range(3)] == [None, "1", "2"]
