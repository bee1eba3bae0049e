"""The report as GitHub markdown, the verdict first: for a pull request, an issue or a job summary."""

from collections.abc import Iterable, Iterator

from padcheck.evidence import Row
from padcheck.report import Finding, Report
from padcheck.reporters import wording
from padcheck.reporters.grid import grid
from padcheck.reporters.view import View
from padcheck.reporters.visible import visible, visible_edges, visible_lines, visible_pads

_GRID_WIDTH = 110
"""Columns of a code block that GitHub shows without scrolling."""


def render(report: Report, view: View) -> str:  # noqa: ARG001  a document has no screen
    """The report as a markdown document."""
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def _lines(report: Report) -> Iterator[str]:
    evidence = report.evidence
    yield f"# padcheck {report.command} {_code(visible(evidence.model.id))}"
    yield ""
    yield f"**{_escape(wording.conclusion(report))}**"
    yield ""
    if report.comparisons:
        yield from _table(("arm", "verdict", "reason"), wording.verdicts(report))
        if probes := wording.probes(report):
            yield from _table(("probe", "verdict", "largest difference"), probes)
            if dear_probes := wording.dear_probes(report):
                yield _escape(dear_probes)
                yield ""
        yield from _table(("rounding", ""), wording.noise_floor(report))
    if report.findings:
        yield "## Findings"
        yield ""
        for finding in report.findings:
            yield from _finding(finding)
    if report.advice:
        yield "## Advice"
        yield ""
        yield from _block([f"{line}  # {task}" for task, line in wording.advice(report)], "python")
    yield "## What was run"
    yield ""
    yield from _table(("", ""), wording.header(report))
    yield "## Special tokens"
    yield ""
    yield from _table(("", "tokenizer", "config", "generation_config"), wording.special_tokens(evidence))
    yield from _table(("", ""), wording.tokenizer_settings(evidence))
    settings = wording.settings_text(evidence.generation_config)
    yield f"generation_config: {_code(settings) if settings else 'nothing is set'}"
    if evidence.overridden:
        yield f"Switched off for the run: {_code(wording.settings_text(evidence.overridden))}"
    yield ""
    yield from _prompts(report)
    yield from _samples(report)
    yield from _warnings(report)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"**{finding.code} {finding.name}** ({finding.severity.value}): {_escape(visible(finding.message))}"
    yield ""
    yield from _block([visible_lines(finding.fix)], "python")


def _prompts(report: Report) -> Iterator[str]:
    for index, prompt in enumerate(report.evidence.prompts):
        outputs = wording.outputs(report, index)
        if not outputs:
            continue
        yield f"## Prompt {index}: {_code(visible_edges(prompt))}"
        yield ""
        rows = [
            (output.arm, _code(visible_edges(output.row.generated_text)), _pads(report, output.row), output.outcome)
            for output in outputs
        ]
        yield from _table(("arm", "new tokens", "pads", "outcome"), rows, escaped={1, 2})
        for title, row in wording.columns(outputs):
            yield from _grid(title, row)


def _samples(report: Report) -> Iterator[str]:
    if report.command != "inspect-tokenizer":
        return
    for side, sample in report.evidence.samples.items():
        yield f"## The prompts {wording.sample_title(side)}"
        yield ""
        if sample.error is not None:
            yield from _block([visible(sample.error)], "text")
        for row in sample.rows:
            yield from _grid(f"{list(row.input_ids)}", row)


def _grid(title: str, row: Row) -> Iterator[str]:
    yield from _block([title, *(line.plain.rstrip() for line in grid(row, _GRID_WIDTH))], "text")


def _warnings(report: Report) -> Iterator[str]:
    if rows := wording.warnings(report.evidence):
        yield "## Warnings of the libraries"
        yield ""
        yield from _table(("arm", "warning"), rows)


def _pads(report: Report, row: Row) -> str:
    pads = visible_pads(row, report.evidence.tokenizer.pad_token_used)
    return _code(pads) if pads else ""


def _table(
    headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], escaped: frozenset[int] | set[int] = frozenset()
) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|" + " --- |" * len(headings)
    for row in rows:
        cells = (cell.replace("|", "\\|") if place in escaped else _escape(cell) for place, cell in enumerate(row))
        yield f"| {' | '.join(cells)} |"
    yield ""


def _block(lines: list[str], language: str) -> Iterator[str]:
    # A fence longer than any run of backticks inside cannot be closed by a hostile token.
    longest = max((len(run) for line in lines for run in _backtick_runs(line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language}"
    yield from lines
    yield fence
    yield ""


def _backtick_runs(text: str) -> list[str]:
    return "".join(character if character == "`" else " " for character in text).split()


def _code(text: str) -> str:
    """Inline code that holds anything: backticks are fenced with more of them."""
    fence = "`" * (max((len(run) for run in _backtick_runs(text)), default=0) + 1)
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{edge}{text}{edge}{fence}" if text else ""


def _escape(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|~&" else character for character in text)
