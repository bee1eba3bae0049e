"""Any document as one page: no file beside it, no request to anywhere, and readable without its script."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from padcheck.checks import find_rule
from padcheck.report import Document, Report
from padcheck.reporters import conclusion, reproduction, wording
from padcheck.reporters.check import wording as of_check
from padcheck.reporters.html.alignment import align, align_samples
from padcheck.reporters.html.chart import draw
from padcheck.reporters.html.heat_map import stripes
from padcheck.reporters.survey import wording as of_survey
from padcheck.reporters.view import View
from padcheck.reporters.visible import visible, visible_edges, visible_lines, visible_pads, visible_token

_TEMPLATES = Path(__file__).parent / "templates"

_MOST_GRIDS = 24
"""Prompts whose columns are shown: each takes some ten thousand characters."""

_OPEN_GRIDS = 4


def render(document: Document, view: View) -> str:  # noqa: ARG001  a document has no screen
    """The document as a page of HTML."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "visible": visible,
        "edges": visible_edges,
        "lines": visible_lines,
        "token": visible_token,
    }
    environment.globals |= {
        "wording": wording,
        "conclusion": conclusion.conclusion,
        "reproduction": reproduction,
        "of_check": of_check,
        "of_survey": of_survey,
        "find_rule": find_rule,
        "align": align,
        "align_samples": align_samples,
        "draw": draw,
        "stripes": stripes,
        "pads": visible_pads,
        "shown_prompts": shown_prompts,
        "open_prompts": _OPEN_GRIDS,
    }
    script, style = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("script.js", "style.css"))
    page = {"check": "check.html", "survey": "survey.html"}.get(document.command, "report.html")
    return environment.get_template(page).render(
        document=document, script=script, style=style, script_hash=_hash(script), style_hash=_hash(style)
    )


def shown_prompts(report: Report) -> list[int]:
    """The prompts whose columns are shown, those that padding changed first where there are too many."""
    prompts = range(len(report.evidence.prompts))
    changed = {
        row.prompt_index
        for name in ("left", "right")
        if name in report.comparisons
        for row in report.comparisons[name].rows
        if not row.verdict.within_rounding
    }
    return sorted(sorted(prompts, key=lambda index: index not in changed)[:_MOST_GRIDS])


def _hash(text: str) -> str:
    """By which the page's own policy lets this script or style in, and no other."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
