"""A survey as JSON: `padcheck.session` writes either document."""

from padcheck.reporters.json import render

__all__ = ["render"]
