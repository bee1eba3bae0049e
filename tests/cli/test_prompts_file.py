import io
import sys
from pathlib import Path

import pytest

from padcheck.cli.prompts_file import load_prompts
from padcheck.core.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prompts.txt"


@pytest.mark.parametrize(
    ("content", "prompts"),
    [
        (b"one\ntwo\n", ("one", "two")),
        (b"one\ntwo", ("one", "two")),
        (b"\n\none\n \n\t\ntwo\n\n", ("one", "two")),
        (b"  leading and trailing  \n", ("  leading and trailing  ",)),
        (b"one \r\ntwo\r\n", ("one ", "two")),
        (b"\xef\xbb\xbfone\n", ("one",)),
        ("one\u2028still one\x0cand still\x85one\n".encode(), ("one\u2028still one\x0cand still\x85one",)),
        ("日本 😀\n".encode(), ("日本 😀",)),
        (b"# no comment\n", ("# no comment",)),
        (b'[1, 2]\n"quoted"\n', ("[1, 2]", '"quoted"')),
        (b'a prompt\n{"prompt": "text all the same"}\n', ("a prompt", '{"prompt": "text all the same"}')),
    ],
    ids=[
        "lines",
        "no line end at the end",
        "blank lines",
        "edges",
        "CRLF",
        "byte order mark",
        "only line feeds end a line",
        "wide characters",
        "a hash",
        "JSON that is no object",
        "the first line decides that it is JSONL",
    ],
)
def test_every_line_is_a_prompt(file: Path, content: bytes, prompts: tuple[str, ...]) -> None:
    file.write_bytes(content)
    assert load_prompts(str(file)) == prompts


@pytest.mark.parametrize(
    ("content", "prompts"),
    [
        (b'{"prompt": "one "}\n{"prompt": "two\\nlines"}\n', ("one ", "two\nlines")),
        (b'\xef\xbb\xbf\n {"prompt": "one", "id": 7}\r\n', ("one",)),
        (b'{"prompt": "\\u2028\\ud83d\\ude00"}', ("\u2028😀",)),
    ],
    ids=["objects", "other keys", "escapes"],
)
def test_a_file_that_begins_with_an_object_is_jsonl(file: Path, content: bytes, prompts: tuple[str, ...]) -> None:
    file.write_bytes(content)
    assert load_prompts(str(file)) == prompts


@pytest.mark.parametrize(
    "line", ["plain text", '{"prompt": 7}', '{"text": "no prompt"}', '{"prompt": "cut', '{"prompt": "\\ud800"}', "[]"]
)
def test_a_bad_line_of_jsonl_is_named_by_its_number(file: Path, line: str) -> None:
    file.write_text(f'\n{{"prompt": "fine"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"Line 4 of .*prompts\.txt") as caught:
        load_prompts(str(file))
    assert '{"prompt": "..."}' in caught.value.change


def test_the_error_for_a_prompt_that_begins_with_a_brace_says_how_it_was_read(file: Path) -> None:
    file.write_text("{name} likes\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Line 1 ") as caught:
        load_prompts(str(file))
    assert "begins with {" in caught.value.meaning


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \t \r\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_prompt_is_a_usage_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match="has no prompt"):
        load_prompts(str(file))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("größer".encode("latin-1"), "byte 2 is 0xf6"),
        ("größer".encode("utf-16"), "byte 0 is 0xff"),
        (b"\xef\xbb\xbfok\xe9", "is 0xe9"),
    ],
    ids=["latin-1", "utf-16", "after a byte order mark"],
)
def test_a_file_that_is_not_utf_8_is_a_usage_error_that_names_the_byte(file: Path, content: bytes, says: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"is not UTF-8: .*{says}") as caught:
        load_prompts(str(file))
    assert caught.value.change == "Save it as UTF-8."


def test_a_missing_file_is_a_usage_error(file: Path) -> None:
    with pytest.raises(UsageError, match=r"prompts\.txt cannot be read: No such file"):
        load_prompts(str(file))


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load_prompts(str(tmp_path))


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(buffer, encoding="ascii"))
    return buffer


def test_a_dash_is_standard_input_in_utf_8_whatever_the_encoding_of_the_terminal(stdin: io.BytesIO) -> None:
    stdin.write("日本\r\n two \n".encode())
    stdin.seek(0)
    assert load_prompts("-") == ("日本", " two ")


def test_an_error_in_standard_input_names_it(stdin: io.BytesIO) -> None:
    with pytest.raises(UsageError, match="standard input has no prompt"):
        load_prompts("-")


@pytest.mark.parametrize(
    ("name", "text", "prompts"),
    [
        ("p.csv", 'id,prompt\n1,one\n2,"two, three"\n', ("one", "two, three")),
        ("p.csv", 'prompt\n"two\nlines"\n\none\n', ("two\nlines", "one")),
        ("p.tsv", "prompt\tid\r\none, two\t1\r\n", ("one, two",)),
        ("p", "id,prompt\n1,one\n", ("one",)),
        ("p.txt", "id, prompt\n1,one\n", ("id, prompt", "1,one")),
    ],
    ids=["csv", "one column", "tsv", "a header with the column", "text with commas"],
)
def test_a_csv_file_is_read_by_its_column(tmp_path: Path, name: str, text: str, prompts: tuple[str, ...]) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert load_prompts(str(tmp_path / name)) == prompts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,text\n1,one\n", 'no column "prompt", but id, text'),
        ("one\ntwo\n", 'no column "prompt", but one'),
        ("", "it is empty"),
        ("prompt\n", "has no prompt"),
        ('prompt\n"one\n', "cannot be read as CSV"),
    ],
    ids=["another column", "no header", "empty", "no rows", "a quote that does not end"],
)
def test_a_csv_file_without_prompts_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UsageError, match=says):
        load_prompts(str(tmp_path / "p.csv"))
