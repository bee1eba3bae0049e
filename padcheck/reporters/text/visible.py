"""Makes any text safe to print: invisible characters, and characters that act on a terminal, become escapes."""

import unicodedata

from padcheck.core.evidence import Row

_NAMED = {"\n": "↵", "\t": "⇥"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}


def visible(text: str) -> str:
    """The text with control characters, direction marks and the like as escapes, and line ends and tabs as arrows."""
    return "".join(_visible_character(character) for character in text)


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
    if character != " " and unicodedata.category(character) in _INVISIBLE:
        return character.encode("unicode_escape", errors="backslashreplace").decode("ascii")
    return character
