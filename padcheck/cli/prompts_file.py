"""Reads a prompts file: one prompt per line, or JSONL with the key "prompt", and "choices". `-` is stdin."""

import sys
from pathlib import Path

import msgspec

from padcheck.cli.files import STDIN, possible_path
from padcheck.core.errors import UsageError


class PromptLine(msgspec.Struct, frozen=True):
    """A prompt, and the choices whose scores are compared."""

    prompt: str
    choices: tuple[str, ...] = ()


def path_of(file: str) -> Path:
    """The path that the name of a prompts file stands for."""
    return STDIN if file == "-" else Path(file)


def load_prompts(file: str) -> tuple[str, ...]:
    """The prompts of a file, in order; see `load_lines`."""
    return tuple(line.prompt for line in load_lines(file))


def load_lines(file: str) -> tuple[PromptLine, ...]:
    """The prompts of a file with their choices, in order. Blank lines are skipped.

    Raises:
        UsageError: The file is missing, unreadable, not UTF-8 or empty, or a line of a JSONL file is invalid.
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
    # Not splitlines(): U+2028 and form feeds are part of a prompt.
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines:
        raise UsageError(f"The prompts file {name} has no prompt.", change="Write one prompt per line.")
    is_jsonl = lines[0][1].lstrip().startswith("{")
    return (
        tuple(_parse(name, number, line) for number, line in lines)
        if is_jsonl
        else tuple(PromptLine(line) for _, line in lines)
    )


def _parse(name: str, number: int, line: str) -> PromptLine:
    try:
        return msgspec.json.decode(line, type=PromptLine)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(
            f'Line {number} of {name} is not a JSON object with a "prompt": {error}.',
            meaning="The first line begins with {, so the file is read as JSONL.",
            change='Write {"prompt": "..."} on every line.',
        ) from error
