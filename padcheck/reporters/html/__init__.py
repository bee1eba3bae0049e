"""A report, check or survey as one HTML page that loads nothing and can be read without scripts, on any screen.

The templates only lay out. The texts come from the wording that all formats share, and `chart`, `heat_map` and
`alignment` compute what is drawn.
"""

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from padcheck.core.report import Report
from padcheck.core.run_plans import USER_RUNS
from padcheck.core.run_report import AnyDocument
from padcheck.judging.rule import is_code
from padcheck.reporters.check import wording as check_wording
from padcheck.reporters.html import alignment, page
from padcheck.reporters.report import positions, reproduction
from padcheck.reporters.report.wording import (
    conclusion,
    findings,
    probes,
    prompts,
    rounding,
    task,
    training,
    verdicts,
    what_was_run,
)
from padcheck.reporters.run import wording as run_wording
from padcheck.reporters.survey import wording as survey_wording
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible, visible_edges, visible_lines, visible_pads


def render(document: AnyDocument, view: View) -> str:  # noqa: ARG001  a page fits every screen
    """The document as an HTML page."""
    name = "report" if isinstance(document, Report) else document.command
    return _environment().get_template(f"{name}.html").render(document=document) + "\n"


def render_summary(report: Report) -> str:
    """Verdict and findings as a piece of HTML, for a page with its own style sheet, such as a notebook."""
    return _environment().get_template("summary.html").render(report=report)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_made_visible,
    )
    style, script = _asset("style.css"), _asset("script.js")
    environment.globals |= {
        "style": style,
        "script": script,
        # The page loads nothing, and only this script and this style sheet run.
        "policy": f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "conclusion": conclusion.conclusion,
        "findings": findings,
        "probes": probes,
        "prompts": prompts,
        "rounding": rounding,
        "task": task,
        "training": training,
        "verdicts": verdicts,
        "what_was_run": what_was_run,
        "user_runs": USER_RUNS,
        "tooltips": page.TOOLTIPS,
        "check_wording": check_wording,
        "run_wording": run_wording,
        "survey_wording": survey_wording,
        "alignment": alignment,
        "positions": positions,
        "page": page,
        "is_code": is_code,
        "reproduction": reproduction,
    }
    environment.filters |= {"lines": _lines, "edges": visible_edges, "pads": visible_pads}
    return environment


def _made_visible(value: object) -> object:
    """Every value that a template shows, without control characters."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """Escaped text whose line ends stay."""
    return escape(visible_lines(text))


def _asset(name: str) -> Markup:
    return Markup(files(__name__).joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704  part of padcheck


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
