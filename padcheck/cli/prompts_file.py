"""Reads a prompts file: one prompt per line, JSONL with the key "prompt", or CSV with that column. `-` is stdin."""

import csv
import sys
from io import StringIO
from pathlib import Path

import msgspec

from padcheck.cli.files import STDIN, possible_path
from padcheck.core.errors import UsageError

_COLUMN = "prompt"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class _PromptLine(msgspec.Struct):
    prompt: str


def path_of(file: str) -> Path:
    """The path that the name of a prompts file stands for."""
    return STDIN if file == "-" else Path(file)


def load_prompts(file: str) -> tuple[str, ...]:
    """The prompts of a file, in order. Blank lines are skipped.

    Raises:
        UsageError: The file is missing, unreadable, not UTF-8 or empty, a line of a JSONL file is invalid, or a CSV
            file has no column "prompt".
    """
    name = "standard input" if file == "-" else file
    try:
        if file == "-" and sys.stdin is None:
            raise UsageError("--prompts - reads standard input, which is closed.", change="Pipe the prompts in.")
        raw = sys.stdin.buffer.read() if file == "-" else possible_path("The prompts file", Path(file)).read_bytes()
        text = raw.decode("utf-8-sig")
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
    if (delimiter := _delimiter(name, text)) is not None:
        return _from_csv(name, text, delimiter)
    # Not splitlines(): U+2028 and form feeds are part of a prompt.
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines:
        raise UsageError(f"The prompts file {name} has no prompt.", change="Write one prompt per line.")
    is_jsonl = lines[0][1].lstrip().startswith("{")
    return tuple(_parse(name, number, line) for number, line in lines) if is_jsonl else tuple(line for _, line in lines)


def _delimiter(name: str, text: str) -> str | None:
    """The delimiter of a CSV file, by its name or by the column "prompt" in its first line; None for other files."""
    suffix = Path(name).suffix.lower()
    if suffix == ".txt":
        return None  # a prompt may begin like a header
    by_name = _DELIMITERS.get(suffix)
    header = text.partition("\n")[0].rstrip("\r")
    by_header = (each for each in _DELIMITERS.values() if each in header and _COLUMN in _cells(header, each))
    return by_name or next(by_header, None)


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _from_csv(name: str, text: str, delimiter: str) -> tuple[str, ...]:
    try:
        header, *rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        reason = "it is empty" if isinstance(error, ValueError) else error
        what = f"The prompts file {name} cannot be read as CSV: {reason}."
        raise UsageError(what, change="Fix that line.") from error
    columns = [column.strip() for column in header]
    if _COLUMN not in columns:
        raise UsageError(
            f'The prompts file {name} has no column "{_COLUMN}", but {", ".join(columns)}.',
            meaning="It is read as CSV, whose first line names the columns.",
            change=f'Name the column with the prompts "{_COLUMN}". For one prompt per line, name the file .txt.',
        )
    place = columns.index(_COLUMN)
    prompts = tuple(row[place] for row in rows if len(row) > place and row[place].strip())
    if not prompts:
        raise UsageError(f'The column "{_COLUMN}" of {name} has no prompt.', change="Write one prompt per row.")
    return prompts


def _parse(name: str, number: int, line: str) -> str:
    try:
        return msgspec.json.decode(line, type=_PromptLine).prompt
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(
            f'Line {number} of {name} is not a JSON object with a "prompt": {error}.',
            meaning="The first line begins with {, so the file is read as JSONL.",
            change='Write {"prompt": "..."} on every line.',
        ) from error
