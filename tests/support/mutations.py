"""Random changes of JSON, for the fuzzer: what a careless edit, a broken tool or an attacker may make of a file."""

import json
import random
from typing import Any

HOSTILE = "\x1b[31m\x07\r\x7f\x9b2J\u2028\u202e\u200b\x00\n::error::x</script><b>`|&amp;]]>'\""
"""Text that acts on a terminal, or on the text around it."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 300, 2**31, 2**63, 10**30, 10**400, 0.5, -0.5, 1e-320, 1e38, 1e308),
    *("", "x", " ", "0", "left", "PAD201", "../..", HOSTILE, HOSTILE * 50, "日本" * 100, "{{ 'x' * 10**9 }}"),
    *([], {}, [[]], [None], [0] * 40, {"a": 1}, {"": {}}, {HOSTILE: HOSTILE}),
)


def mutated(document: Any, chance: random.Random) -> Any:
    """A copy of an object or a list with one to four random changes."""
    changed = _copy(document)
    for _ in range(chance.randint(1, 4)):
        if changed:
            _change(_container(changed, chance), changed, chance)
    return changed


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _container(document: Any, chance: random.Random) -> Any:
    """An object or a list in the document that is not empty; one near the top is as likely as one far below."""
    found = document
    while chance.random() < 0.8:
        below = [each for each in _values(found) if isinstance(each, (dict, list)) and each]
        if not below:
            break
        found = chance.choice(below)
    return found


def _values(container: Any) -> list[Any]:
    return list(container.values() if isinstance(container, dict) else container)


def _change(container: Any, document: Any, chance: random.Random) -> None:
    key = chance.choice(list(container) if isinstance(container, dict) else range(len(container)))
    value = container[key]
    kind = chance.choice(("removed", "other", "moved", "repeated", "larger", "shorter", "renamed"))
    if kind == "removed":
        del container[key]
    elif kind == "moved":
        container[key] = _copy(chance.choice(_values(_container(document, chance))))
    elif kind == "repeated" and isinstance(container, list):
        container.insert(key, _copy(chance.choice(container)))
    elif kind == "larger" and isinstance(value, (int, float)):
        container[key] = chance.choice((-1, 2, 10, 10**6)) * value + chance.choice((-1, 0, 1))
    elif kind == "shorter" and isinstance(value, (str, list)):
        container[key] = value[: chance.randint(0, len(value))]
    elif kind == "renamed" and isinstance(container, dict):
        container[chance.choice((HOSTILE, "x", "", *container))] = container.pop(key)
    else:
        container[key] = _copy(chance.choice(VALUES))
