"""What a page shows of a report, in the order of the page."""

from typing import NamedTuple

from padcheck.core.errors import UsageError
from padcheck.core.evidence import Row, RowDifference
from padcheck.core.facts import PaddingSide
from padcheck.core.noise_floor import tolerance_of
from padcheck.core.report import Architecture, Report, Verdict
from padcheck.core.run_plans import SINGLE, USER_RUNS
from padcheck.judging.caller_rules import find_code
from padcheck.reporters.html.chart import Chart, chart
from padcheck.reporters.html.heat_map import HeatMap, heat_map
from padcheck.reporters.report.wording.prompts import Output, outputs
from padcheck.reporters.survey import wording as survey_wording

_FEW_PROMPTS = 4


class Prompt(NamedTuple):
    """One prompt in the user runs; `changed` names the runs in which padding changed it."""

    number: int
    text: str
    changed: list[str]
    open: bool
    outputs: list[Output]


class Difference(NamedTuple):
    """How far a run is from its reference, as a chart and as numbers."""

    run: str
    reference: str
    description: str
    chart: Chart
    rows: tuple[RowDifference, ...]


def prompts(report: Report) -> list[Prompt]:
    """The prompts that ran. If there are many, those that changed come first, and all but the first few are folded."""
    changed = {name: _changed_in(report, name) for name in USER_RUNS if name != SINGLE}
    indices = list(range(len(report.evidence.prompts)))
    if len(indices) > _FEW_PROMPTS:
        indices.sort(key=lambda index: not any(index in those for those in changed.values()))
    ran = {index: found for index in indices if (found := outputs(report, index))}
    return [
        Prompt(
            number=index,
            text=report.evidence.prompts[index],
            changed=[name for name, those in changed.items() if index in those],
            open=place < _FEW_PROMPTS,
            outputs=ran[index],
        )
        for place, index in enumerate(index for index in indices if index in ran)
    ]


def heat_maps(report: Report) -> list[tuple[str, HeatMap]]:
    """The masks of the user runs, with a mark at each prompt that the run changed."""
    return [
        (name, heat_map(run.rows, _changed_in(report, name)))
        for name, run in report.evidence.runs.items()
        if name in USER_RUNS and run.rows
    ]


def user_runs(report: Report) -> list[Difference]:
    """The charts of the user runs."""
    return [each for each in _differences(report) if each.run in USER_RUNS]


def probes(report: Report) -> list[Difference]:
    """The charts of the probes."""
    return [each for each in _differences(report) if each.run not in USER_RUNS]


def samples(report: Report) -> list[tuple[int, str, list[tuple[PaddingSide, Row]]]]:
    """Index, text and rows of each prompt as the tokenizer padded it."""
    return [
        (index, prompt, rows)
        for index, prompt in enumerate(report.evidence.prompts)
        if (
            rows := [
                (side, row)
                for side, sample in report.evidence.samples.items()
                for row in sample.rows
                if row.prompt_index == index
            ]
        )
    ]


def explanation(code: str) -> list[tuple[str, str]]:
    """Heading and text of each section that explains a code, without the fix, which the finding itself gives."""
    try:
        sections = find_code(code).sections()
    except UsageError:  # the report comes from another version of padcheck
        return []
    return [(heading.rstrip(":"), text) for heading, text in sections if heading.rstrip(":") != "Fix"]


def number(value: float | None) -> str:
    """A difference as a table shows it."""
    return "NaN" if value is None else f"{value:.2g}"


def num_steps(difference: Difference) -> int:
    """The largest number of steps that were compared."""
    return max(len(row.steps) for row in difference.rows)


def kind(architecture: Architecture, name: str) -> str:
    """The CSS class of a cell in the table of a survey."""
    if name == survey_wording.WITHOUT_MASK or survey_wording.cell(architecture, name) == "not run":
        return "unread"
    if survey_wording.is_wrong(architecture, name):
        return "wrong"
    return "right" if survey_wording.is_right(architecture, name) else "unclear"


def _differences(report: Report) -> list[Difference]:
    found = []
    for name, comparison in report.comparisons.items():
        rows, run = report.evidence.differences.get(name, ()), report.evidence.runs.get(name)
        if not rows or run is None or name == SINGLE:
            continue
        floor = tolerance_of(report.noise_floor, run).floor if report.noise_floor is not None else 0.0
        drawn = chart(rows, comparison, floor)
        found.append(Difference(name, comparison.reference, run.description or name, drawn, rows))
    return found


def _changed_in(report: Report, run: str) -> set[int]:
    if run not in report.comparisons:
        return set()
    return {
        row.prompt_index
        for row in report.comparisons[run].rows
        if row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE)
    }
