"""The report as GitHub markdown, for a pull request, an issue or a job summary: the answer first, the rest folded."""

from collections.abc import Iterator

from padcheck.core.report import Report
from padcheck.core.run_results import Row
from padcheck.core.verdicts import Finding
from padcheck.reporters.report.grid import grid
from padcheck.reporters.report.positions import table_offset
from padcheck.reporters.report.wording import (
    findings,
    probes,
    prompts,
    rounding,
    task,
    training,
    verdicts,
    what_was_run,
)
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.reporters.text.markup import block, code, details, escape, table
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible_edges, visible_pads

_GRID_WIDTH = 110
"""Columns of a code block that GitHub shows without scrolling."""


def render(report: Report, view: View) -> str:  # noqa: ARG001  markdown has no width
    """The report as a markdown document."""
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# padcheck {report.command} {code(report.evidence.model.id)}"
    yield ""
    yield f"**{escape(conclusion(report))}**"
    yield ""
    if report.comparisons:
        yield from table(verdicts.HEADINGS, verdicts.rows(report))
    if report.task_comparisons:
        yield from table(task.VERDICT_HEADINGS, task.verdict_rows(report))
    if report.findings:
        yield "## Findings"
        yield ""
        for finding in report.findings:
            yield from finding_lines(finding)
    if report.advice:
        yield "## Advice"
        yield ""
        yield from block([f"{line}  # {task}" for task, line in findings.advice(report)], "python")
    if report.comparisons:
        yield from details("Probes and rounding", _probes(report))
    if report.evidence.task is not None:
        yield from details(task.title(report.evidence.task), _task(report))
    yield from details("What was run, and the prompts column by column", _what_was_run(report))


def _what_was_run(report: Report) -> Iterator[str]:
    evidence = report.evidence
    yield "## What was run"
    yield ""
    yield from table(("", ""), what_was_run.header(report))
    yield "## Special tokens"
    yield ""
    yield from table(what_was_run.SPECIAL_TOKENS_HEADINGS, what_was_run.special_tokens(evidence))
    yield from table(("", ""), what_was_run.tokenizer_settings(evidence))
    settings = what_was_run.generation_config(evidence)
    yield f"generation_config: {code(settings) if evidence.generation_config else settings}"
    if evidence.overridden:
        yield f"Switched off by padcheck: {code(what_was_run.settings_text(evidence.overridden))}"
    yield ""
    yield from _prompts(report)
    yield from _samples(report)
    yield from _warnings(report)


def finding_lines(finding: Finding) -> Iterator[str]:
    """Code, message and the line to change."""
    yield f"**{finding.code} {finding.name}** ({findings.label(finding)}): {escape(finding.message)}"
    yield ""
    yield from block([finding.fix], "python")


def _probes(report: Report) -> Iterator[str]:
    if found := probes.rows(report):
        yield from table(probes.HEADINGS, found)
        if notes := probes.notes(report):
            yield escape(notes)
            yield ""
    yield from table(("rounding", ""), rounding.rows(report))


def _task(report: Report) -> Iterator[str]:
    yield from table(task.HEADINGS, task.rows(report))
    if steps := training.rows(report):
        yield from table(training.HEADINGS, steps)
        yield escape(training.notes(report))
        yield ""
    yield from table(task.PROBE_HEADINGS, task.probe_rows(report))
    yield from table(("rounding", ""), task.rounding_rows(report))


def _prompts(report: Report) -> Iterator[str]:
    for index, prompt in enumerate(report.evidence.prompts):
        outputs = prompts.outputs(report, index)
        if not outputs:
            continue
        yield f"## Prompt {index}: {code(visible_edges(prompt))}"
        yield ""
        rows = [
            (output.run, code(visible_edges(output.row.generated_text)), _pads(report, output.row), output.outcome)
            for output in outputs
        ]
        yield from table(("run", "new tokens", "pads", "outcome"), rows, escaped={1, 2})
        for title, row in prompts.distinct_rows(outputs):
            yield from _grid(title, row, table_offset(report))


def _samples(report: Report) -> Iterator[str]:
    if report.command != "inspect-tokenizer":
        return
    for side, sample in report.evidence.samples.items():
        yield f"## The prompts {prompts.sample_title(side)}"
        yield ""
        if sample.error is not None:
            yield from block([sample.error], "text")
        for row in sample.rows:
            yield from _grid(f"{list(row.input_ids)}", row)


def _grid(title: str, row: Row, offset: int | None = None) -> Iterator[str]:
    yield from block([title, *(line.plain.rstrip() for line in grid(row, _GRID_WIDTH, offset))], "text")


def _warnings(report: Report) -> Iterator[str]:
    if rows := what_was_run.warnings(report.evidence):
        yield "## Warnings of the libraries"
        yield ""
        yield from table(("run", "warning"), rows)


def _pads(report: Report, row: Row) -> str:
    pads = visible_pads(row, report.evidence.tokenizer.pad_token_used)
    return code(pads) if pads else ""
