"""Compares what a program says with wider batches to what it says otherwise, within rounding."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from padcheck.core.recording import Difference, Recording, Said, Widened
from padcheck.core.tolerances import bounded_tolerance

_LAYERS = 1
"""The output of a program is rounded like one more layer."""

_TOKEN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[^\W\d_]+|\S")
_NUMBER = re.compile(r"[-+]?\d")
_LONGEST = 60
"""How much of a text a difference shows, in characters."""


class _Token(NamedTuple):
    """A number, a word or a sign, and the column in which it begins, counted from 1."""

    text: str
    column: int

    @property
    def number(self) -> float | None:
        return float(self.text) if _NUMBER.match(self.text) else None


def compare(plain: Recording, again: Recording, widened: Sequence[Recording], columns: int, dtype: str) -> Widened:
    """Compares runs of one program. What differs between the two unchanged runs is left out.

    Args:
        plain: An unchanged run.
        again: Another unchanged run.
        widened: One or more runs with wider batches. A difference must be the same in all of them.
        columns: How many columns wider the batches were.
        dtype: The least exact dtype in which the program's models calculate.
    """
    second = {said.label: said for said in again.said}
    wide = [{said.label: said for said in each.said} for each in widened]
    values, unsteady, found = 0, 0, []
    for said in plain.said:
        tokens, other = _tokens(said), _tokens(second.get(said.label))
        if len(tokens) != len(other):
            unsteady += len(tokens)
            continue
        steady = [token.text == same.text for token, same in zip(tokens, other, strict=True)]
        values, unsteady = values + sum(steady), unsteady + steady.count(False)
        each_run = [list(_differences(said, steady, run.get(said.label), columns, dtype)) for run in wide]
        found += [each for each in each_run[0] if all(each in others for others in each_run[1:])]
    if len(plain.said) == len(again.said):
        labels = {said.label for said in plain.said}
        more = [each for each in widened[0].said if each.label not in labels]
        found += [Difference(said=each, column=1, plain="", widened=each.text[:_LONGEST]) for each in more]
    batches = widened[0].widened
    return Widened(columns=columns, batches=batches, values=values, unsteady=unsteady, differences=tuple(found))


def _differences(
    said: Said, steady: Sequence[bool], other: Said | None, columns: int, dtype: str
) -> Iterator[Difference]:
    tokens, wide = _tokens(said), _tokens(other)
    if len(tokens) != len(wide):
        if all(steady) and not _has_only_more_pads(tokens, wide, columns):
            pairs = enumerate(zip(tokens, wide, strict=False))
            at = next((index for index, (one, two) in pairs if one.text != two.text), min(len(tokens), len(wide)))
            yield _difference(said, other, tokens[at:], wide[at:])
        return
    numbers = [abs(token.number) for token in tokens if token.number is not None and _is_inexact(token)]
    allowed = bounded_tolerance(dtype, _LAYERS).allowed(max(numbers, default=0.0))
    for token, is_steady, wider in zip(tokens, steady, wide, strict=True):
        if is_steady and not _agree(token, wider, columns, allowed):
            yield Difference(said=said, column=token.column, plain=token.text, widened=wider.text)


def _difference(said: Said, other: Said | None, tokens: Sequence[_Token], wide: Sequence[_Token]) -> Difference:
    """From the first token that differs to the end of the text."""
    column = tokens[0].column if tokens else len(said.text) + 1
    more = other.text[wide[0].column - 1 :] if other is not None and wide else ""
    return Difference(said=said, column=column, plain=said.text[column - 1 :][:_LONGEST], widened=more[:_LONGEST])


def _agree(one: _Token, other: _Token, columns: int, allowed: float) -> bool:
    """True if two values are the same within rounding, or if the second counts the further columns."""
    first, second = one.number, other.number
    if one.text == other.text or first is None or second is None:
        return one.text == other.text
    if not (_is_inexact(one) or _is_inexact(other)):
        return second - first == columns
    return abs(first - second) <= allowed + max(_last_digit(one), _last_digit(other))


def _has_only_more_pads(tokens: Sequence[_Token], wide: Sequence[_Token], columns: int) -> bool:
    """True if the program prints the batch itself: something is inserted, once for each further column."""
    before, after = [token.text for token in tokens], [token.text for token in wide]
    changes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    inserted = [after[low:high] for kind, _, _, low, high in changes if kind != "equal"]
    return all(kind in {"equal", "insert"} for kind, *_ in changes) and all(
        each == each[: len(each) // columns] * columns for each in inserted
    )


def _tokens(said: Said | None) -> list[_Token]:
    return [] if said is None else [_Token(each[0], each.start() + 1) for each in _TOKEN.finditer(said.text)]


def _is_inexact(token: _Token) -> bool:
    return token.number is not None and not token.text.lstrip("+-").isdigit()


def _last_digit(token: _Token) -> float:
    """The value of one unit of the last digit."""
    mantissa, _, exponent = token.text.lower().partition("e")
    return float(10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])))
