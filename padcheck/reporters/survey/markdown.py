"""A survey as GitHub markdown, for documentation."""

from collections.abc import Iterator

from padcheck.core.report import Survey
from padcheck.reporters.survey import wording
from padcheck.reporters.text.markup import escape, table
from padcheck.reporters.text.view import View


def render(survey: Survey, view: View) -> str:  # noqa: ARG001  markdown has no width
    """The survey as a markdown document."""
    return "\n".join(_lines(survey)).rstrip("\n") + "\n"


def _lines(survey: Survey) -> Iterator[str]:
    yield "# padcheck survey"
    yield ""
    yield f"**{escape(wording.conclusion(survey))}**"
    yield ""
    yield from table(("", ""), wording.header(survey))
    if not wording.judged(survey):
        yield from _unjudged(survey)
        return
    columns = wording.columns(survey)
    yield from table(("", "of the judged architectures"), wording.tally(survey))
    yield from table(
        ("model type", "class", "positions", *columns.values(), "findings"),
        (
            (
                architecture.name,
                architecture.architecture or "",
                architecture.position_encoding or "",
                *(wording.cell(architecture, name) for name in columns),
                " ".join(wording.codes(architecture)),
            )
            for architecture in wording.lines(survey)
        ),
    )
    yield from table(("", ""), wording.legend(survey))
    if limits := wording.known_limits(survey):
        yield f"## {wording.LIMITS_TITLE}"
        yield ""
        yield from table(("model types", "why"), limits)
    yield from _unjudged(survey)


def _unjudged(survey: Survey) -> Iterator[str]:
    if reasons := wording.not_judged(survey):
        yield f"## {wording.NOT_JUDGED_TITLE}"
        yield ""
        yield from table(("model type", "why not"), reasons)
