"""The parts of the README that are generated from the program: `make docs` writes them, a test compares them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from padcheck.core.exit_codes import ExitCode
from padcheck.judging.caller_rules import ALL_CODES

README = Path(__file__).parents[2] / "README.md"

_EXIT_CODES = {
    ExitCode.OK: "measured, and nothing at or above `--fail-on`",
    ExitCode.FINDINGS: "findings at or above `--fail-on`",
    ExitCode.USAGE: "the command line, the configuration or a prompts file is wrong",
    ExitCode.NOT_MEASURED: "not measured: not found, gated, offline, out of memory, unreadable; or nothing was padded",
    ExitCode.BUG: "a bug in padcheck; `--verbose` shows where",
}


def table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in markdown."""
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def replace_block(text: str, name: str, block: str) -> str:
    """The text with a new block between the markers of that name.

    Raises:
        ValueError: The markers are missing, or there are several.
    """
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    text, found = pattern.subn(lambda match: f"{match[1]}\n{block}\n\n{match[2]}", text)
    if found != 1:
        raise ValueError(f"found {found} blocks named {name}, expected 1")
    return text


def _help() -> str:
    command = [sys.executable, "-m", "padcheck", "--help"]
    done = subprocess.run(command, env=os.environ | {"COLUMNS": "80"}, capture_output=True, text=True, check=True)
    return f"```text\n{done.stdout.rstrip()}\n```"


def blocks() -> dict[str, str]:
    """Each generated block by the name in its markers."""
    return {
        "help": _help(),
        "exit codes": table(("code", "meaning"), [(str(int(code)), text) for code, text in _EXIT_CODES.items()]),
        "rules": table(
            ("code", "name", "severity", "what it says"),
            [(rule.code, rule.name, rule.severity.value, rule.title()) for rule in ALL_CODES],
        ),
    }


def refreshed(text: str) -> str:
    """The README with up-to-date blocks.

    Raises:
        ValueError: A block has no markers.
    """
    for name, block in blocks().items():
        text = replace_block(text, name, block)
    return text


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text(encoding="utf-8")), encoding="utf-8")
