import io
import json
import re
import sys
from pathlib import Path
from typing import Any

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
        (b"id,prompt\n1,one\n", ("id,prompt", "1,one")),
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
        "text with commas, in a file named .txt",
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
    "line",
    [
        "plain text",
        '{"prompt": 7}',
        '{"text": "no", "other": "prompt"}',
        '{"prompt": "cut',
        '{"prompt": "\\ud800"}',
        "[]",
    ],
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
    pytest.importorskip("pyarrow")
    with pytest.raises(UsageError, match=r"is a folder, but no dataset: it has no state\.json"):
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


def conversation(*messages: tuple[str, str]) -> tuple[dict[str, str], ...]:
    return tuple({"role": role, "content": content} for role, content in messages)


def line(*messages: tuple[str, str]) -> str:
    return json.dumps({"messages": conversation(*messages)}) + "\n"


def test_conversations_of_jsonl_keep_their_system_prompts_and_lose_the_last_answer(file: Path) -> None:
    file.write_text(
        line(("system", "Be brief."), ("user", "Hi"))
        + line(("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"), ("assistant", "Goodbye")),
        encoding="utf-8",
    )
    assert load_prompts(str(file)) == (
        conversation(("system", "Be brief."), ("user", "Hi")),
        conversation(("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")),
    )


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], "no message comes before"),
        ([{"role": "assistant", "content": "Hi"}], "no message comes before"),
        ([{"role": "user"}], "a message has no role or no content"),
        ([{"role": 1, "content": "Hi"}], "a message has no role or no content"),
        (["Hi"], "a message has no role or no content"),
        ({"role": "user"}, '"messages" is'),
    ],
)
def test_a_bad_conversation_is_named_by_its_line(file: Path, messages: object, says: str) -> None:
    file.write_text(line(("user", "Hi")) + json.dumps({"messages": messages}), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"Line 2 of .*prompts\.txt: {says}"):
        load_prompts(str(file))


@pytest.mark.parametrize(
    ("name", "content", "column", "prompts"),
    [
        ("a.csv", 'id,text\n1,one\n2,"two, with\n a line end"\n3,\n', "text", ("one", "two, with\n a line end")),
        ("a.csv", "\ufeffprompt,id\r\none ,1\r\n", None, ("one ",)),
        ("a.csv", "prompt\none\u2028still one\n", None, ("one\u2028still one",)),
        ("a.csv", 'id, prompt\n1,"two\nlines"\n\n2,one\n', None, ("two\nlines", "one")),
        ("a", "id,prompt\n1,one\n", None, ("one",)),
        ("a", "id\ttext\n1\tone\n", "text", ("one",)),
        ("a.TSV", "id\ttext\n1\tone, two\n", "text", ("one, two",)),
        ("a.json", '[{"prompt": "one"}, {"prompt": null}, {"prompt": "two"}]', None, ("one", "two")),
        ("a.jsonl", '{"q": "one", "a": 1}\n{"q": "two", "a": 2}', "q", ("one", "two")),
    ],
)
def test_a_column_of_a_table_holds_the_prompts(
    tmp_path: Path, name: str, content: str, column: str | None, prompts: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert load_prompts(str(tmp_path / name), column) == prompts
    assert load_prompts(str(tmp_path / name), column, 1) == prompts[:1]


@pytest.mark.parametrize(
    ("name", "content", "column", "says"),
    [
        ("a.csv", "id,text\n1,one\n", None, 'has neither "prompt" nor "messages".\nIt has id, text.'),
        ("a.csv", "id,text\n1,one\n", "texts", 'has no "texts".\nIt has id, text.\nName the one'),
        ("a.csv", "one\ntwo\n", None, 'has neither "prompt" nor "messages".\nIt has one.'),
        ("a.csv", "id,text\n", "text", "has no prompt"),
        ("a.csv", "", None, "has no prompt"),
        ("a.csv", 'prompt\n"one\n', None, "a.csv cannot be read as CSV"),
        ("a.json", "[1]", None, "is not a JSON list of objects"),
        ("a.txt", "one\n", "text", "has no columns"),
        ("a.jsonl", '{"prompt": "one"}', "text", 'has no "text"'),
    ],
)
def test_a_table_without_the_column_names_its_columns(
    tmp_path: Path, name: str, content: str, column: str | None, says: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(says)):
        load_prompts(str(tmp_path / name), column)


ROWS = {
    "id": [1, 2, 3],
    "text": ["one", None, "two"],
    "chat": [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], None, None],
}


@pytest.fixture
def table() -> Any:
    return pytest.importorskip("pyarrow").table(ROWS)


def test_parquet_is_read_by_column(tmp_path: Path, table: Any) -> None:
    from pyarrow import parquet

    file = tmp_path / "rows.parquet"
    parquet.write_table(table, file)
    assert load_prompts(str(file), "text") == ("one", "two")
    assert load_prompts(str(file), "chat") == (conversation(("system", "Be brief."), ("user", "Hi")),)
    with pytest.raises(UsageError, match=r'has no "txt"\.\nIt has id, text, chat'):
        load_prompts(str(file), "txt")
    with pytest.raises(UsageError, match=r'Row 1 of .*: "id" is 1\.'):
        load_prompts(str(file), "id")
    file.write_bytes(b"PAR1 cut off")
    with pytest.raises(UsageError, match=r"rows\.parquet cannot be read"):
        load_prompts(str(file), "text")


def save_as_dataset(table: Any, folder: Path) -> None:
    """What Dataset.save_to_disk() of datasets 5 writes: Arrow streams, and their names in state.json."""
    from pyarrow import ipc

    folder.mkdir(parents=True)
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name, rows in zip(names, (table.slice(0, 1), table.slice(1)), strict=True):
        with ipc.new_stream(folder / name, rows.schema) as stream:
            stream.write_table(rows)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))


def test_a_dataset_on_disk_is_read_by_column(tmp_path: Path, table: Any) -> None:
    folder = tmp_path / "set"
    save_as_dataset(table, folder / "train")
    assert load_prompts(str(folder / "train"), "text") == ("one", "two")
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert load_prompts(str(folder), "chat") == (conversation(("system", "Be brief."), ("user", "Hi")),)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(UsageError, match=r"several splits: train, test\.\nName one of them: .*set/train"):
        load_prompts(str(folder), "text")
    (folder / "train" / "state.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        load_prompts(str(folder / "train"), "text")


@pytest.mark.parametrize("name", ["rows.parquet", "folder"])
def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows.parquet").touch()
    for module in ("pyarrow", "pyarrow.ipc", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"padcheck\[data\]"):
        load_prompts(str(tmp_path / name))
