"""Report to text, one file a format. A reporter is pure: it opens no file and prints nothing."""

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING

from padcheck.reporters.view import View

if TYPE_CHECKING:
    from padcheck.report import Report

__all__ = ["Format", "View", "render"]


class Format(str, Enum):
    """The formats; each is the name of its module."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    SVG = "svg"


def render(report: "Report", fmt: Format, view: View) -> str:
    """The report in one format."""
    reporter: Callable[[Report, View], str] = import_module(f"padcheck.reporters.{fmt.value}").render
    return reporter(report, view)
