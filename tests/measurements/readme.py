"""The parts of README and site that are generated from the program: `make docs` writes them, a test compares them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from padcheck.core.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
MEASUREMENTS = DOCS / "measurements.md"
"""The tables that `make accuracy`, `make real` and `make bench` write."""

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


def write_block(file: Path, name: str, block: str) -> None:
    """Writes a new block into a file.

    Raises:
        ValueError: The markers are missing, or there are several.
    """
    file.write_text(replace_block(file.read_text(encoding="utf-8"), name, block), encoding="utf-8")


def _help() -> str:
    command = [sys.executable, "-m", "padcheck", "--help"]
    done = subprocess.run(command, env=os.environ | {"COLUMNS": "80"}, capture_output=True, text=True, check=True)
    return f"```text\n{done.stdout.rstrip()}\n```"


def blocks() -> dict[Path, dict[str, str]]:
    """Each generated block, by its file and by the name in its markers."""
    codes = table(("code", "meaning"), [(str(int(code)), text) for code, text in _EXIT_CODES.items()])
    return {
        README: {"exit codes": codes},
        DOCS / "reference" / "exit-codes.md": {"exit codes": codes},
        DOCS / "reference" / "command-line.md": {"help": _help()},
    }


if __name__ == "__main__":
    for file, found in blocks().items():
        for name, block in found.items():
            write_block(file, name, block)
