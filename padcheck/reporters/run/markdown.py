"""A watched program as GitHub markdown, for a job summary."""

from collections.abc import Iterator

from padcheck.core.run_report import Run
from padcheck.reporters.run import wording
from padcheck.reporters.text.markup import block, code, escape, table
from padcheck.reporters.text.view import View


def render(run: Run, view: View) -> str:  # noqa: ARG001  markdown has no width
    """The run as a markdown document."""
    return "\n".join(_lines(run)).rstrip("\n") + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield f"# padcheck run {code(wording.title(run))}"
    yield ""
    yield f"**{escape(wording.conclusion(run))}**"
    yield ""
    for finding in run.findings:
        place = escape(wording.place(finding) + wording.in_ranks(finding))
        yield f"**{place}: {finding.code} {finding.name}** ({finding.severity.value})"
        yield ""
        if finding.source:
            yield from block([finding.source], "python")
        yield escape(finding.message)
        yield ""
        yield f"Fix: {code(finding.fix)}"
        yield ""
    if further := wording.further(run):
        yield from table(("", ""), further)
