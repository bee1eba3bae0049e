"""Turns a report, a check, a survey or a watched program into text, in any format.

A reporter opens no file and prints nothing. `report`, `check`, `survey` and `run` have a module per format for people;
`html` and `machine` handle every kind of document.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from padcheck.core.errors import UsageError
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import made_visible

if TYPE_CHECKING:
    from padcheck.core.run_report import AnyDocument

__all__ = ["Format", "View", "files_by_format", "render"]


class Format(str, Enum):
    """The formats. The value is the name of the module, and the word after --format."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    SVG = "svg"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


_MACHINE = {Format.JSON, Format.JUNIT, Format.SARIF, Format.GITHUB}
_EXACT = {Format.JSON, Format.HTML}
"""The formats that need exact texts, and make them safe themselves. JSON is read back, and HTML shows the command that
repeats the measurement."""


def render(document: "AnyDocument", fmt: Format, view: View) -> str:
    """The document in one format.

    What a reporter gets has no text that could act on a terminal, or on the lines around it.
    """
    reporter: Callable[[AnyDocument, View], str] = import_module(_module_of(document, fmt)).render
    return reporter(document if fmt in _EXACT else made_visible(document), view)


def _module_of(document: "AnyDocument", fmt: Format) -> str:
    if fmt is Format.HTML:
        return "padcheck.reporters.html"
    if fmt in _MACHINE:
        return f"padcheck.reporters.machine.{fmt.value}"
    kind = document.command if document.command in ("check", "survey", "run") else "report"
    return f"padcheck.reporters.{kind}.{fmt.value}"


def files_by_format(given: Iterable[str]) -> dict[str, Path]:
    """The file of each format, from texts such as `json=FILE`.

    Raises:
        UsageError: A text has another form, names an unknown format, or repeats one.
    """
    files: dict[str, Path] = {}
    known = [fmt.value for fmt in Format]
    for each in given:
        name, _, file = each.partition("=")
        if not file:
            raise UsageError(f"--report {each} names no file.", change=f"Write --report {name or 'json'}=FILE.")
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise UsageError(
                f"--report {each}: there is no format {name}.",
                change=f"Did you mean {near[0]}?" if near else f"The formats are {', '.join(known)}.",
            )
        if name in files:
            raise UsageError(
                f"--report {name} is given twice, for {files[name]} and for {file}.",
                change="Give each format once. To write it to a second file, run `padcheck render` on the JSON report.",
            )
        files[name] = Path(file)
    return files
