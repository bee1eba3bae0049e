"""Recognises padded rows of token ids by their value, wherever its pads are.

A tokenizer says which ids are text. From then on a row is known: with the pads that the tokenizer added, with other
pads on either side (a data collator's or hand-written ones), and with tokens appended (a decoding loop).
"""

from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

_LARGEST = 2**18
"""How many rows are remembered. An older one is unknown again, and nothing is said about it."""

_SIZE = array("q").itemsize

_Value = TypeVar("_Value")

_ZERO = 0
"""What torch's pad_sequence() pads with if nothing else is given."""


class Padded(NamedTuple):
    """Where the text of a padded row is: columns from `start` to `end`. What comes after `known` was appended."""

    start: int
    end: int
    known: int

    def real(self, width: int, mask: Sequence[int] | None) -> list[bool]:
        """For each column, whether it holds text. The mask decides about appended columns, which may hold pads too."""
        text = [self.start <= column < self.end for column in range(self.known)]
        appended = range(self.known, width)
        return [*text, *(mask is None or bool(mask[column]) for column in appended)]


class KnownRows:
    """The rows that tokenizers and generate() made in this process.

    Programs tokenize millions of tokens. So a row is bytes, which are cheap to cut, and only its hash is remembered.
    """

    def __init__(self) -> None:
        self._texts = Remembered[None]()
        self._padded = Remembered[tuple[int, int] | None]()
        self._pads: set[int] = {_ZERO}

    def add_pad(self, *pad_ids: int | None) -> None:
        """Remembers ids that pads may have."""
        self._pads.update(pad for pad in pad_ids if pad is not None)

    def add(self, row: Sequence[int], real: Sequence[int] | None = None) -> None:
        """Remembers a row: its ids, and 1 for each column with text (all columns if it is None)."""
        ids = as_bytes(row)
        text = (0, len(row)) if real is None else _span(real)
        if text is None or not row:
            return
        self._texts.add(_cut(ids, *text), None)
        self._padded.add(ids, text if self._padded.get(ids, text) == text else None)

    def find(self, row: Sequence[int], mask: Sequence[int] | None = None) -> Padded | None:
        """Where the text of this row is; None if the row is unknown, or if two readings are possible.

        Args:
            row: The ids.
            mask: The row's attention mask, if it has one of this length. Of several readings it selects the one that
                it agrees with.
        """
        ids, width = as_bytes(row), len(row)
        exact = self._padded.get(ids)
        if exact is not None and mask is not None and _span(mask) == exact:  # as the tokenizer made it
            return Padded(*exact, width)
        readings = dict.fromkeys(self._readings(row, ids))
        if exact is not None:
            readings[Padded(*exact, width)] = None
        if not readings:
            return self._extended(ids)
        if len(readings) == 1:
            return next(iter(readings))
        if mask is not None:
            given = [bool(one) for one in mask]
            for reading in readings:
                if reading.real(width, None) == given:
                    return reading
        has_pads = exact is not None and exact != (0, width)
        return Padded(*exact, width) if exact is not None and has_pads else None

    def _readings(self, row: Sequence[int], ids: bytes) -> Iterable[Padded]:
        """Every way to split the row into pads, a known text and pads."""
        width = len(row)
        before = self._run_of_pads(row)
        after = self._run_of_pads(row[::-1])
        is_one_id = len(set(row)) == 1  # then all parts of one length are the same
        for length in self._texts.lengths(width - before - after, width):
            first = max(0, width - length - after)
            if is_one_id and _cut(ids, first, first + length) not in self._texts:
                continue
            for start in range(first, min(before, width - length) + 1):
                if _cut(ids, start, start + length) in self._texts:
                    yield Padded(start, start + length, width)

    def _extended(self, ids: bytes) -> Padded | None:
        """The longest known padded row with which this one begins."""
        for width in sorted(self._padded.lengths(1, len(ids) // _SIZE - 1), reverse=True):
            found = self._padded.get(_cut(ids, 0, width))
            if found is not None:
                return Padded(*found, width)
        return None

    def _run_of_pads(self, row: Sequence[int]) -> int:
        """How many equal ids, which may be pads, the row begins with."""
        if not row or row[0] not in self._pads:
            return 0
        return next((column for column, token in enumerate(row) if token != row[0]), len(row) - 1)


class Remembered(Generic[_Value]):
    """A value for each row, as bytes; the oldest rows are forgotten."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._values: OrderedDict[int, tuple[int, _Value]] = OrderedDict()
        self._lengths: Counter[int] = Counter()

    def __contains__(self, ids: bytes) -> bool:
        return hash(ids) in self._values

    def add(self, ids: bytes, value: _Value) -> None:
        """Remembers the value of a row."""
        key, length = hash(ids), len(ids) // _SIZE
        self._lengths[length] += key not in self._values
        self._values[key] = length, value
        if len(self._values) > (self._most or _LARGEST):
            _, (oldest, _) = self._values.popitem(last=False)
            self._lengths[oldest] -= 1

    def get(self, ids: bytes, default: _Value | None = None) -> _Value | None:
        """The value of a row."""
        found = self._values.get(hash(ids))
        return default if found is None else found[1]

    def lengths(self, least: int, most: int) -> list[int]:
        """The lengths of the remembered rows in this range, both ends included."""
        return [length for length, count in self._lengths.items() if count and least <= length <= most]


def _span(mask: Sequence[int]) -> tuple[int, int] | None:
    """The columns of a row's text; None if there is no text, or a hole in the mask, which is not from padding."""
    flags = bytes(map(bool, mask))
    start, end = flags.find(1), flags.rfind(1) + 1
    return (start, end) if flags.count(1) == end - start else None


def as_bytes(row: Sequence[int]) -> bytes:
    """A row of ids, each in `_SIZE` bytes."""
    return array("q", row).tobytes()


def from_bytes(ids: bytes) -> list[int]:
    """The ids of a row."""
    row = array("q")
    row.frombytes(ids)
    return row.tolist()


def _cut(ids: bytes, start: int, end: int) -> bytes:
    """The columns from `start` to `end`."""
    return ids[start * _SIZE : end * _SIZE]
