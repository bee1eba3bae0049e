"""Recognises padded rows of token ids by their value, wherever its pads are.

A tokenizer says which ids are text. From then on a row is known: with the pads that the tokenizer added, with other
pads on either side (a data collator's or hand-written ones), and with tokens appended (a decoding loop).
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_LARGEST = 2**18
"""How many rows are remembered. An older one is unknown again, and nothing is said about it."""

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
    """The rows that tokenizers and generate() made in this process."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[int, ...], None] = OrderedDict()
        self._padded: OrderedDict[tuple[int, ...], tuple[int, int] | None] = OrderedDict()
        self._lengths: dict[int, int] = {}
        self._widths: dict[int, int] = {}
        self._pads: set[int] = {_ZERO}

    def add_pad(self, *pad_ids: int | None) -> None:
        """Remembers ids that pads may have."""
        self._pads.update(pad for pad in pad_ids if pad is not None)

    def add(self, row: Sequence[int], real: Sequence[int] | None = None) -> None:
        """Remembers a row: its ids, and 1 for each column with text (all columns if it is None)."""
        ids = tuple(row)
        columns = range(len(ids)) if real is None else [column for column, is_real in enumerate(real) if is_real]
        if not columns:
            return
        start, end = columns[0], columns[-1] + 1
        if end - start != len(columns):  # a hole in the mask: not made by padding
            return
        _remember(self._texts, self._lengths, ids[start:end], None)
        same = self._padded.get(ids, (start, end)) == (start, end)
        _remember(self._padded, self._widths, ids, (start, end) if same else None)

    def find(self, row: Sequence[int], mask: Sequence[int] | None = None) -> Padded | None:
        """Where the text of this row is; None if the row is unknown, or if two readings are possible.

        Args:
            row: The ids.
            mask: The row's attention mask, if it has one of this length. Of several readings it selects the one that
                it agrees with.
        """
        ids = tuple(row)
        readings = dict.fromkeys(self._readings(ids))
        exact = self._padded.get(ids)
        if exact is not None:
            readings[Padded(*exact, len(ids))] = None
        if not readings:
            return self._extended(ids)
        if len(readings) == 1:
            return next(iter(readings))
        if mask is not None:
            for reading in readings:
                if reading.real(len(ids), None) == [bool(one) for one in mask]:
                    return reading
        has_pads = exact is not None and exact != (0, len(ids))
        return Padded(*exact, len(ids)) if exact is not None and has_pads else None

    def _readings(self, ids: tuple[int, ...]) -> Iterable[Padded]:
        """Every way to split the row into pads, a known text and pads."""
        for start in range(self._run_of_pads(ids) + 1):
            rest = ids[start:]
            for after in range(self._run_of_pads(rest[::-1]) + 1):
                length = len(rest) - after
                if length in self._lengths and rest[:length] in self._texts:
                    yield Padded(start, start + length, len(ids))

    def _extended(self, ids: tuple[int, ...]) -> Padded | None:
        """The longest known padded row with which this one begins."""
        for width in sorted((width for width in self._widths if width < len(ids)), reverse=True):
            found = self._padded.get(ids[:width])
            if found is not None:
                return Padded(*found, width)
        return None

    def _run_of_pads(self, ids: tuple[int, ...]) -> int:
        """How many equal ids, which may be pads, the row begins with."""
        if not ids or ids[0] not in self._pads:
            return 0
        return next((column for column, token in enumerate(ids) if token != ids[0]), len(ids) - 1)


def _remember(
    rows: "OrderedDict[tuple[int, ...], tuple[int, int] | None] | OrderedDict[tuple[int, ...], None]",
    lengths: dict[int, int],
    row: tuple[int, ...],
    value: tuple[int, int] | None,
) -> None:
    if row not in rows:
        lengths[len(row)] = lengths.get(len(row), 0) + 1
    rows[row] = value  # type: ignore[assignment]
    if len(rows) > _LARGEST:
        oldest, _ = rows.popitem(last=False)
        lengths[len(oldest)] -= 1
        if not lengths[len(oldest)]:
            del lengths[len(oldest)]
