"""Remembers which tokenizer made a row, and who chose the side on which that tokenizer pads."""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from padcheck.core.faults import CodePlace
from padcheck.watching.checks import Proven
from padcheck.watching.layout import Layout
from padcheck.watching.places import calling_library, user_place
from padcheck.watching.rows import Remembered, as_bytes

_EFFECTS = {
    "PAD501": "generate() continues from a pad, and the output differs from that of the same rows alone by up to",
    "PAD507": "{model} counts pads as positions, and the output differs from that of the same rows alone by up to",
    "PAD508": "a value is read from a pad, and other numbers there move it by",
}
"""The mistakes that are a matter of the side."""


class SideChange(NamedTuple):
    """A library has changed the padding side of a tokenizer.

    Attributes:
        before: The side that the user's program had.
        side: The side since then.
        library: The package that changed it.
        place: The line of the user's code that called the library.
    """

    before: str
    side: str
    library: str
    place: CodePlace | None


class Maker(NamedTuple):
    """Who made a row: the tokenizer, and the change of its side if that decided about the row's pads."""

    tokenizer: Any
    change: SideChange | None


class Makers:
    """The tokenizers that made the known rows."""

    def __init__(self) -> None:
        self._makers = Remembered[Maker]()
        self._changes: WeakKeyDictionary[Any, SideChange] = WeakKeyDictionary()

    def side_set(self, tokenizer: Any, before: str | None, side: str) -> None:
        """The padding side is set from `before`, which is None while the tokenizer is made."""
        library = calling_library()
        old = self._changes.pop(tokenizer, None)
        if before is None or library is None:
            return
        mine = before if old is None else old.before
        if side != mine:
            self._changes[tokenizer] = SideChange(mine, side, library, user_place())

    def add(self, row: list[int], tokenizer: Any, *, side_is_given: bool) -> None:
        """Remembers who made a row. `side_is_given` says that the call itself named the side."""
        change = None if side_is_given else self._changes.get(tokenizer)
        self._makers.add(as_bytes(row), Maker(tokenizer, change))

    def of(self, layout: Layout) -> list[Maker | None]:
        """The maker of each row of a batch; None for a row that no tokenizer made like this."""
        return [self._makers.get(as_bytes(row)) for row in layout.ids.tolist()]


def change_of(makers: list[Maker | None], layout: Layout) -> SideChange | None:
    """The change of a side by a library that decided about the pads of this batch, or None."""
    padded = zip(makers, layout.padded.tolist(), strict=True)
    return next((maker.change for maker, is_padded in padded if is_padded and maker is not None), None)


def by_library(found: Proven | None, change: SideChange | None) -> Proven | None:
    """PAD522 in place of a mistake that is a matter of the side, if a library has changed the side."""
    if found is None or change is None or found.code not in _EFFECTS:
        return found
    effect = f"{_EFFECTS[found.code].format(**found.facts)} {found.facts['max_abs_diff']:.2g}"
    called_at = "" if change.place is None else f" in line {change.place.line}"
    facts = {"before": change.before, "side": change.side, "library": change.library, "called_at": called_at}
    return Proven("PAD522", {**found.facts, **facts, "effect": effect})
