"""A report, check or survey as JSON, which `padcheck render` reads back."""

from padcheck.core.json_io import dump
from padcheck.core.run_report import AnyDocument
from padcheck.reporters.text.view import View


def render(document: AnyDocument, view: View) -> str:  # noqa: ARG001  JSON has no width
    """The document as `padcheck.core.json_io` writes it."""
    return dump(document)
