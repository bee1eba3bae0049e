import pytest
from rich.cells import cell_len

from padcheck.reporters.text.code import folded


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("a = 1; b = 2  # why", 19, ["a = 1; b = 2  # why"]),
        ("a = 1; b = 2  # why", 18, ["# why", "a = 1; b = 2"]),
        ("a = 1; b = 2; c = 3", 12, ["a = 1; b = 2", "c = 3"]),
        ("a = 1; b = 2", 5, ["a = 1", "b = 2"]),
        ("# one two three", 9, ["# one two", "# three"]),
        ("print('a; b  # c'); d = 1", 20, ["print('a; b  # c')", "d = 1"]),
        ("a_statement_that_is_long = 1", 10, ["a_statement_that_is_long = 1"]),
        ("not python (", 5, ["not python ("]),
        ("'unclosed; string", 5, ["'unclosed; string"]),
        ("", 5, [""]),
    ],
    ids=[
        "fits",
        "a comment goes above",
        "as many statements as fit",
        "each statement",
        "only a comment",
        "marks in a text",
        "a long statement stays whole",
        "no Python",
        "broken Python",
        "empty",
    ],
)
def test_a_line_is_folded_between_statements(line: str, width: int, lines: list[str]) -> None:
    assert folded(line, width) == lines


def test_folding_keeps_the_code() -> None:
    line = 'tokenizer.padding_side = "left"; inputs = tokenizer(texts, padding=True); model.generate(**inputs)  # now'
    code = [part for part in folded(line, 60) if not part.startswith("#")]
    assert "; ".join(code) == line.removesuffix("  # now")
    assert max(map(cell_len, code)) <= 60
