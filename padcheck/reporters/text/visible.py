"""Makes any text safe to print: invisible characters, and characters that act on a terminal, become escapes."""

import dataclasses
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints

import msgspec

from padcheck.core.run_results import Row
from padcheck.core.settings import JudgeSettings
from padcheck.core.verdicts import Lines

_NAMED = {"\n": "↵", "\t": "⇥"}
_Value = TypeVar("_Value")


def made_visible(value: _Value) -> _Value:
    """A copy of a document, or of a part of it, in which every text is `visible`, and those of type `Lines` by lines.

    Keys are texts too. Numbers, and fields whose type allows only certain words, stay as they are.
    """
    return cast(_Value, _made_visible(value))


def _made_visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {_made_visible(key): _made_visible(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_made_visible, value))
    if not isinstance(value, msgspec.Struct | JudgeSettings):
        return value
    kind: Any = type(value)
    changes: dict[str, Any] = {}
    for name, has_lines in _fields_with_text(kind).items():
        text = getattr(value, name)
        changes[name] = visible_lines(text) if has_lines and text is not None else _made_visible(text)
    if isinstance(value, JudgeSettings):
        return dataclasses.replace(value, **changes)
    return msgspec.structs.replace(value, **changes)


@cache
def _fields_with_text(kind: type) -> dict[str, bool]:
    """The fields of a type that may hold text; True if its line ends stay."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: Lines in (hint, *get_args(hint)) for name, hint in hints.items() if _may_hold_text(hint)}


def _may_hold_text(hint: Any) -> bool:
    holds = isinstance(hint, type) and issubclass(hint, msgspec.Struct | JudgeSettings)
    return hint in (str, object) or holds or any(map(_may_hold_text, get_args(hint)))


def visible(text: str) -> str:
    """The text with control characters, direction marks and the like as escapes, and line ends and tabs as arrows."""
    return text if text.isprintable() else "".join(map(_visible_character, text))


def visible_lines(text: str) -> str:
    """Like `visible`, but line ends stay."""
    return "\n".join(visible(line) for line in text.split("\n"))


def visible_edges(text: str) -> str:
    """Like `visible`, with spaces at both ends shown as ␣, because a trailing space changes what a model says."""
    left, right = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    if left == len(text):
        return "␣" * left
    return "␣" * left + visible(text[left : len(text) - right]) + "␣" * right


def visible_token(text: str) -> str:
    """Like `visible`, with every space shown as ␣; for one token."""
    return visible(text).replace(" ", "␣")


def visible_pads(row: Row, pad_token: str) -> str:
    """The pads of a row in one word, such as `<|endoftext|>×3`; empty without pads."""
    return f"{visible_token(pad_token)}×{row.num_pad_tokens}" if row.num_pad_tokens else ""


def _visible_character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    # Characters that are not printable: controls, direction marks, surrogates, unassigned ones, and unusual spaces.
    if character.isprintable():
        return character
    return character.encode("unicode_escape", errors="backslashreplace").decode("ascii")
