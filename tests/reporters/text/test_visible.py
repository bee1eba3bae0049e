import unicodedata

import pytest
from builders import row

from padcheck.reporters.text.visible import visible, visible_edges, visible_lines, visible_pads, visible_token


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("日本 é 😀", "日本 é 😀"),
        ("שלום", "שלום"),
        ("a\nb\tc", "a↵b⇥c"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x07\r\x00\x7f\x9b", r"\x07\r\x00\x7f\x9b"),
        ("\u202e\u2066\u200b\ufeff\u00ad", r"\u202e\u2066\u200b\ufeff\xad"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\udce9", r"\udce9"),
        ("\ue000\U000e0041", r"\ue000\U000e0041"),
    ],
)
def test_invisible_and_control_characters_become_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_no_control_or_format_character_remains() -> None:
    everything = "".join(map(chr, [*range(0x3000), *range(0xD800, 0x10000), *range(0xE0000, 0xE0200)]))
    assert {unicodedata.category(character)[0] for character in visible(everything)} == set("LMNPSZ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one two", "one two"),
        (" one two  ", "␣one two␣␣"),
        ("  ", "␣␣"),
        ("", ""),
        (" \n ", "␣↵␣"),
    ],
)
def test_spaces_at_the_edges_are_shown(text: str, shown: str) -> None:
    assert visible_edges(text) == shown


@pytest.mark.parametrize(("text", "shown"), [(" the", "␣the"), ("a b", "a␣b"), ("   ", "␣␣␣"), (" \n", "␣↵")])
def test_every_space_of_a_token_is_shown(text: str, shown: str) -> None:
    assert visible_token(text) == shown


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u202f"])
def test_other_spaces_look_different(space: str) -> None:
    assert visible_token(space).isprintable()
    assert visible_token(space) != visible_token(" ")


def test_line_ends_stay() -> None:
    assert visible_lines("a\n\x1bb\n") == "a\n\\x1bb\n"


@pytest.mark.parametrize(("num_pads", "shown"), [(0, ""), (1, "<pad␣>×1"), (3, "<pad␣>×3")])
def test_pads_are_one_word(num_pads: int, shown: str) -> None:
    assert visible_pads(row(num_pads=num_pads), "<pad >") == shown
