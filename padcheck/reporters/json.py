"""Any document as JSON: what `padcheck render` reads back."""

from padcheck.report import Document
from padcheck.reporters.view import View
from padcheck.session import dump


def render(document: Document, view: View) -> str:  # noqa: ARG001  a document has no screen
    """The document as `padcheck.session` writes it."""
    return dump(document)
