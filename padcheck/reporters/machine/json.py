"""A report, check or survey as JSON, which `padcheck render` reads back."""

from padcheck.core.json_io import dump
from padcheck.core.run_report import AnyDocument
from padcheck.reporters.text.view import View


def render(document: AnyDocument, view: View) -> str:
    """The document as `padcheck.core.json_io` writes it, indented if everything is to be shown."""
    return dump(document, indented=view.verbose)
