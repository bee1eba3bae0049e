"""Turns the options of a call into settings, and says what an option accepts if it gets something else."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from enum import Enum
from numbers import Number
from types import MappingProxyType, NoneType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin

import msgspec

from padcheck.core.errors import UsageError
from padcheck.core.settings import JudgeSettings, MeasureSettings, Prompt
from padcheck.core.severity import Severity

FailOn: TypeAlias = Severity | Literal["error", "warning", "info"]
"""The lowest severity that fails."""

Prompts: TypeAlias = Sequence[str | Sequence[Mapping[str, Any]]]
"""Texts, or conversations: lists of messages with `role` and `content`."""

NO_REASONS: Mapping[str, str] = MappingProxyType({})
"""The default of `ignore`."""

_Settings = TypeVar("_Settings", MeasureSettings, JudgeSettings)

_IN_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple[str, ...]: "a list of texts",
    tuple[Prompt, ...]: "a list of texts, or of conversations: lists of messages",
    dict[str, str]: 'a reason for each code: {"PAD106": "why"}',
    NoneType: "None",
}


def measure_settings(prompts: Prompts | None, **given: object) -> MeasureSettings:
    """What to measure, from the options of a call.

    Raises:
        UsageError: A value has the wrong type or is out of range.
    """
    lists = {name: _as_tuple(given[name]) for name in ("with_modes",) if name in given}
    return _settings(MeasureSettings, prompts=() if prompts is None else _as_tuple(prompts), **given | lists)


def judge_settings(select: Sequence[str], ignore: Mapping[str, str], **given: object) -> JudgeSettings:
    """How to judge, from the options of a call.

    Raises:
        UsageError: A value has the wrong type or is out of range.
    """
    settings = _settings(JudgeSettings, select=_as_tuple(select), ignore=_as_dict(ignore), **given)
    return replace(
        settings,
        select=tuple(code.upper() for code in settings.select),
        ignore={code.upper(): why for code, why in settings.ignore.items()},
    )


def judge_changes(judged: JudgeSettings, fail_on: FailOn | None, ignore: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `judged` that these options change; None changes nothing, and ignored codes add up.

    Raises:
        UsageError: A value has the wrong type or is out of range.
    """
    given = judge_settings((), ignore, fail_on=fail_on)
    changes = {
        "fail_on": judged.fail_on if fail_on is None else given.fail_on,
        "ignore": judged.ignore | given.ignore,
    }
    return {name: value for name, value in changes.items() if value != getattr(judged, name)}


def flag(option: str, value: object) -> bool:
    """The value of an option that is True or False.

    Raises:
        UsageError: It is something else.
    """
    return bool(_converted(option, value, bool))


def _settings(kind: type[_Settings], **given: object) -> _Settings:
    """The settings with these values.

    Raises:
        UsageError: A value has the wrong type or is out of range.
    """
    types = {each.name: each.type for each in fields(kind)}
    return kind(**{option: _converted(option, value, types[option]) for option, value in given.items()})


def _converted(option: str, value: object, kind: Any) -> Any:
    try:
        return msgspec.convert(_of_python(value), kind)
    # Strange objects raise the last three. SystemError: an integer too large for a float, before msgspec 0.22.
    except (msgspec.ValidationError, UnicodeError, AttributeError, SystemError):
        *others, last = _in_words(kind)
        change = f"Use {', '.join(others)} or {last}." if others else f"Use {last}."
        raise UsageError(f"{option} is {reprlib.repr(value)}.", change=change) from None


def _as_tuple(items: object) -> object:
    """The items of any iterable; anything else is returned as it is, also a single text."""
    if isinstance(items, Iterable) and not isinstance(items, str | bytes | Mapping):
        with suppress(TypeError):  # an array without dimensions
            return tuple(map(_of_python, items))
    return items


def _as_dict(reasons: object) -> object:
    """The items of any mapping; anything else is returned as it is."""
    return dict(reasons) if isinstance(reasons, Mapping) else reasons


def _of_python(value: object) -> object:
    """A number or text of numpy as one of Python, which a report can be saved with; anything else as it is."""
    return value.item() if isinstance(value, Number | str) and hasattr(value, "item") else value


def _in_words(kind: Any) -> list[str]:
    """What a setting of this type can be."""
    if kind in _IN_WORDS:
        return [_IN_WORDS[kind]]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [repr(member.value) for member in kind]
    if get_origin(kind) is Literal:
        return [repr(value) for value in get_args(kind)]
    return [word for each in get_args(kind) for word in _in_words(each)]
