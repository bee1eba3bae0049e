"""Report to text, one file a format. A reporter is pure: it opens no file and prints nothing.

The formats of a survey are in a folder of their own, under the same names.
"""

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING

from padcheck.reporters.view import View

if TYPE_CHECKING:
    from padcheck.report import Report, Survey

__all__ = ["Format", "View", "render"]


class Format(str, Enum):
    """The formats; each is the name of its module."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    SVG = "svg"


def render(report: "Report | Survey", fmt: Format, view: View) -> str:
    """The report in one format."""
    package = "padcheck.reporters.survey" if report.command == "survey" else "padcheck.reporters"
    reporter: Callable[[Report | Survey, View], str] = import_module(f"{package}.{fmt.value}").render
    return reporter(report, view)
