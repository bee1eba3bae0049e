"""The report as GitHub markdown, the verdict first: for a pull request, an issue or a job summary."""

from collections.abc import Iterator

from padcheck.core.evidence import Row
from padcheck.core.report import Finding, Report
from padcheck.reporters.report import wording
from padcheck.reporters.report.conclusion import conclusion
from padcheck.reporters.report.grid import grid
from padcheck.reporters.report.positions import table_offset
from padcheck.reporters.text.markup import block, code, escape, table
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible, visible_edges, visible_lines, visible_pads

_GRID_WIDTH = 110
"""Columns of a code block that GitHub shows without scrolling."""


def render(report: Report, view: View) -> str:  # noqa: ARG001  a document has no screen
    """The report as a markdown document."""
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def _lines(report: Report) -> Iterator[str]:
    evidence = report.evidence
    yield f"# padcheck {report.command} {code(visible(evidence.model.id))}"
    yield ""
    yield f"**{escape(conclusion(report))}**"
    yield ""
    if report.comparisons:
        yield from table(("arm", "verdict", "reason"), wording.verdicts(report))
        if probes := wording.probes(report):
            yield from table(("probe", "verdict", "largest difference"), probes)
            if other_probes := wording.other_probes(report):
                yield escape(other_probes)
                yield ""
        yield from table(("rounding", ""), wording.noise_floor(report))
    if report.findings:
        yield "## Findings"
        yield ""
        for finding in report.findings:
            yield from finding_lines(finding)
    if report.advice:
        yield "## Advice"
        yield ""
        yield from block([f"{line}  # {task}" for task, line in wording.advice(report)], "python")
    yield "## What was run"
    yield ""
    yield from table(("", ""), wording.header(report))
    yield "## Special tokens"
    yield ""
    yield from table(("", "tokenizer", "config", "generation_config"), wording.special_tokens(evidence))
    yield from table(("", ""), wording.tokenizer_settings(evidence))
    settings = wording.settings_text(evidence.generation_config)
    yield f"generation_config: {code(settings) if settings else 'nothing is set'}"
    if evidence.overridden:
        yield f"Switched off for the run: {code(wording.settings_text(evidence.overridden))}"
    yield ""
    yield from _prompts(report)
    yield from _samples(report)
    yield from _warnings(report)


def finding_lines(finding: Finding) -> Iterator[str]:
    """Code, message and the line to change."""
    known = ", known" if finding.known else ""
    yield f"**{finding.code} {finding.name}** ({finding.severity.value}{known}): {escape(visible(finding.message))}"
    yield ""
    yield from block([visible_lines(finding.fix)], "python")


def _prompts(report: Report) -> Iterator[str]:
    for index, prompt in enumerate(report.evidence.prompts):
        outputs = wording.outputs(report, index)
        if not outputs:
            continue
        yield f"## Prompt {index}: {code(visible_edges(prompt))}"
        yield ""
        rows = [
            (output.arm, code(visible_edges(output.row.generated_text)), _pads(report, output.row), output.outcome)
            for output in outputs
        ]
        yield from table(("arm", "new tokens", "pads", "outcome"), rows, escaped={1, 2})
        for title, row in wording.columns(outputs):
            yield from _grid(title, row, table_offset(report))


def _samples(report: Report) -> Iterator[str]:
    if report.command != "inspect-tokenizer":
        return
    for side, sample in report.evidence.samples.items():
        yield f"## The prompts {wording.sample_title(side)}"
        yield ""
        if sample.error is not None:
            yield from block([visible(sample.error)], "text")
        for row in sample.rows:
            yield from _grid(f"{list(row.input_ids)}", row)


def _grid(title: str, row: Row, offset: int | None = None) -> Iterator[str]:
    yield from block([title, *(line.plain.rstrip() for line in grid(row, _GRID_WIDTH, offset))], "text")


def _warnings(report: Report) -> Iterator[str]:
    if rows := wording.warnings(report.evidence):
        yield "## Warnings of the libraries"
        yield ""
        yield from table(("arm", "warning"), rows)


def _pads(report: Report, row: Row) -> str:
    pads = visible_pads(row, report.evidence.tokenizer.pad_token_used)
    return code(pads) if pads else ""
