"""Any document as JSON: what `padcheck render` reads back."""

from padcheck.core.json_io import dump
from padcheck.core.report import Document
from padcheck.reporters.text.view import View


def render(document: Document, view: View) -> str:  # noqa: ARG001  a document has no screen
    """The document as `padcheck.core.json_io` writes it."""
    return dump(document)
