"""A check as GitHub markdown, for a job summary: first a summary, then each model, folded if it passed."""

from collections.abc import Iterator

from padcheck.core.report import Check, Report, Unmeasured
from padcheck.reporters.check import wording
from padcheck.reporters.report.markdown import finding_lines
from padcheck.reporters.report.wording import findings, verdicts, what_was_run
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.text.markup import block, code, details, escape, table
from padcheck.reporters.text.view import View


def render(check: Check, view: View) -> str:  # noqa: ARG001  markdown has no width
    """The check as a markdown document."""
    return "\n".join(_lines(check)).rstrip("\n") + "\n"


def _lines(check: Check) -> Iterator[str]:
    yield f"# {wording.title(check)}"
    yield ""
    yield f"**{escape(wording.conclusion(check))}**"
    yield ""
    yield from table(wording.SUMMARY_HEADINGS, wording.summary(check))
    if ways := wording.side_by_side(check):
        yield from table(wording.SIDE_BY_SIDE_HEADINGS, ways)
    if vanished := wording.vanished(check):
        yield f"{wording.VANISHED_TITLE}: {escape(', '.join(vanished))}"
        yield ""
    for name, report in zip(wording.names(check), check.reports, strict=True):
        yield f"## {code(name)}"
        yield ""
        yield f"**{escape(conclusion(report))}**"
        yield ""
        if isinstance(report, Report):
            yield from details("Verdicts and findings", _report(report), is_open=report.status != "pass")
        else:
            yield from _why_not(report)


def _report(report: Report) -> Iterator[str]:
    if report.comparisons:
        yield from table(verdicts.HEADINGS, verdicts.rows(report))
    in_full, by_name = findings.sort_out(report)
    for finding in in_full:
        yield from finding_lines(finding)
    if by_name:
        yield f"Also: {escape(', '.join(by_name))}"
        yield ""
    yield from table(("", ""), what_was_run.header(report))


def _why_not(report: Unmeasured) -> Iterator[str]:
    for line in report.error.lines[1:]:
        yield escape(line)
        yield ""
    if report.traceback is not None:
        yield from block([report.traceback], "text")
