"""Reads prompts from a file: lines of text, JSONL, CSV, a JSON list, Parquet, or a dataset on disk. `-` is stdin.

In a table, one column holds the prompts: texts, or conversations (lists of messages with `role` and `content`).
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from padcheck.cli.files import STDIN, possible_path
from padcheck.cli.prompts_table import Rows, csv_rows, dataset_rows, delimiter_of, json_rows, parquet_rows
from padcheck.core.errors import UsageError
from padcheck.core.settings import Conversation, Prompt

_COLUMNS = ("prompt", "messages")
"""The columns that hold the prompts if none is named."""

_CHANGE = 'Write a text, as in {"prompt": "..."}, or a list of messages, such as {"role": "user", "content": "..."}.'


def path_of(file: str) -> Path:
    """The path that the name of a prompts file stands for."""
    return STDIN if file == "-" else Path(file)


def all_prompts(texts: Sequence[str], file: str | None, options: Mapping[str, Any]) -> tuple[Prompt, ...]:
    """The texts, then the prompts of the file, read with the options `column` and `num_prompts`.

    Raises:
        UsageError: The file cannot be read, or an option is given without a file.
    """
    given = {name: options[name] for name in ("column", "num_prompts") if name in options}
    if file is not None:
        return (*texts, *load_prompts(file, **given))
    if given:
        raise UsageError(
            f"{next(iter(given)).replace('_', '-')} is given without a file to read prompts from.",
            change="Name the file in the same place: --prompts FILE, or prompts-file in the configuration.",
        )
    return tuple(texts)


def load_prompts(file: str, column: str | None = None, num_prompts: int | None = None) -> tuple[Prompt, ...]:
    """The prompts of a file, in order. Blank lines and empty cells are skipped.

    Args:
        file: The file or folder; `-` for stdin.
        column: The column, or key, with the prompts; None for `prompt` or `messages`.
        num_prompts: How many prompts to read; None for all.

    Raises:
        UsageError: The file is missing, unreadable, not UTF-8 or empty, a row is invalid, or there is no such column.
    """
    name = "standard input" if file == "-" else file
    prompts = tuple(islice(_prompts(file, name, column), num_prompts))
    if not prompts:
        raise UsageError(f"The prompts file {name} has no prompt.", change="Write one prompt per line.")
    return prompts


def _prompts(file: str, name: str, column: str | None) -> Iterator[Prompt]:
    path, suffix = path_of(file), Path(file).suffix.lower()
    if file != "-" and possible_path("The prompts file", path).is_dir():
        yield from _of_table(dataset_rows(path, column), name, column)
    elif suffix == ".parquet" and path.is_file():
        yield from _of_table(parquet_rows(path, column), name, column)
    else:
        text = _text(file, name)
        if suffix == ".json" and text.lstrip().startswith("["):
            yield from _of_table(json_rows(name, text), name, column)
        elif delimiter := delimiter_of(name, text, set(_wanted(column))):
            yield from _of_table(csv_rows(name, text, delimiter), name, column)
        else:
            yield from _of_lines(text, name, column)


def _wanted(column: str | None) -> tuple[str, ...]:
    """The columns that may hold the prompts."""
    return _COLUMNS if column is None else (column,)


def _text(file: str, name: str) -> str:
    try:
        if file == "-" and sys.stdin is None:
            raise UsageError("--prompts - reads standard input, which is closed.", change="Pipe the prompts in.")
        raw: bytes = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"The prompts file {name} cannot be read: {error.strerror or error}.",
            change="Check the path after --prompts.",
        ) from error
    except UnicodeDecodeError as error:
        position = error.start + len(raw) - len(error.object)  # error.start does not count a byte order mark
        raise UsageError(
            f"The prompts file {name} is not UTF-8: byte {position} is {raw[position]:#04x}.",
            meaning="It was saved in another encoding.",
            change="Save it as UTF-8.",
        ) from error


def _of_lines(text: str, name: str, column: str | None) -> Iterator[Prompt]:
    # Not splitlines(): U+2028 and form feeds are part of a prompt.
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines or not lines[0][1].lstrip().startswith("{"):
        if lines and column is not None:
            raise UsageError(f"{name} has no columns: each line is a prompt.", change="Leave out --column.")
        yield from (line for _, line in lines)
        return
    for number, line in lines:
        where = f"Line {number} of {name}"
        try:
            row = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            raise UsageError(
                f"{where} is not a JSON object: {error}.",
                meaning="The first line begins with {, so the file is read as JSONL.",
                change='Write {"prompt": "..."} or {"messages": [...]} on every line.',
            ) from error
        yield from _of_row(row, where, _column(row, where, column))


def _of_table(rows: Rows, name: str, column: str | None) -> Iterator[Prompt]:
    chosen = None
    for number, row in enumerate(rows, start=1):
        chosen = chosen or _column(row, name, column)
        yield from _of_row(row, f"Row {number} of {name}", chosen)


def _column(row: Mapping[str, Any], where: str, column: str | None) -> str:
    """The column with the prompts."""
    names = [str(name) for name in row if name]
    for each in _wanted(column):
        if each in names:
            return each
    raise UsageError(
        f'{where} has no "{column}".' if column is not None else f'{where} has neither "prompt" nor "messages".',
        meaning=f"It has {', '.join(names)}." if names else "",
        change='Name the one with the prompts: --column NAME. In JSONL, write {"prompt": "..."} on every line.',
    )


def _of_row(row: Mapping[str, Any], where: str, column: str) -> Iterator[Prompt]:
    """The prompt of a row; nothing if its cell is empty."""
    value = row.get(column)
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, list):
        yield _conversation(value, where)
    elif value is not None:
        raise UsageError(f'{where}: "{column}" is {value!r:.40}.', change=_CHANGE)


def _conversation(messages: list[Any], where: str) -> Conversation:
    """The messages without an answer at the end, which the model is to write."""
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str) or "content" not in message:
            raise UsageError(f"{where}: a message has no role or no content: {message!r:.60}.", change=_CHANGE)
    # In a table every message has the keys of all messages, and null for those that it lacks.
    kept = [{key: value for key, value in each.items() if value is not None or key == "content"} for each in messages]
    while kept and kept[-1]["role"] == "assistant":
        kept.pop()
    if not kept:
        raise UsageError(f"{where}: no message comes before the answer of the assistant.", change=_CHANGE)
    return tuple(kept)
