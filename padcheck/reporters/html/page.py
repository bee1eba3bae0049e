"""What a page shows of a report, in the order in which it shows it."""

from typing import NamedTuple

from padcheck.core.errors import UsageError
from padcheck.core.evidence import Row, RowDifference
from padcheck.core.facts import PaddingSide
from padcheck.core.noise_floor import tolerance_of
from padcheck.core.report import Architecture, Report, Verdict
from padcheck.core.run_plans import SINGLE, USER_RUNS
from padcheck.judging.rules import find_rule
from padcheck.reporters.html.chart import Chart, chart
from padcheck.reporters.html.heat_map import HeatMap, heat_map
from padcheck.reporters.report.wording.prompts import Output, outputs
from padcheck.reporters.survey import wording as survey_wording

_FEW_PROMPTS = 4


class Prompt(NamedTuple):
    """One prompt in the arms that ran it; `changed` names the sides on which padding changed it."""

    number: int
    text: str
    changed: list[str]
    open: bool
    outputs: list[Output]


class Difference(NamedTuple):
    """How far an arm is from its reference, drawn and as numbers."""

    arm: str
    reference: str
    description: str
    chart: Chart
    rows: tuple[RowDifference, ...]


def prompts(report: Report) -> list[Prompt]:
    """All that were run. Where they are many those that changed come first, and all but the first few are folded."""
    changed = {side: _changed_in(report, side) for side in ("left", "right")}
    indices = list(range(len(report.evidence.prompts)))
    if len(indices) > _FEW_PROMPTS:
        indices.sort(key=lambda index: not any(index in those for those in changed.values()))
    ran = {index: found for index in indices if (found := outputs(report, index))}
    return [
        Prompt(
            number=index,
            text=report.evidence.prompts[index],
            changed=[side for side, those in changed.items() if index in those],
            open=place < _FEW_PROMPTS,
            outputs=ran[index],
        )
        for place, index in enumerate(index for index in indices if index in ran)
    ]


def heat_maps(report: Report) -> list[tuple[str, HeatMap]]:
    """The masks of the arms that users run; a prompt is marked in the arm that changed it."""
    return [
        (name, heat_map(arm.rows, _changed_in(report, name)))
        for name, arm in report.evidence.runs.items()
        if name in USER_RUNS and arm.rows
    ]


def sides(report: Report) -> list[Difference]:
    """The charts of left and right."""
    return [each for each in _differences(report) if each.arm in USER_RUNS]


def probes(report: Report) -> list[Difference]:
    """The charts of the other arms."""
    return [each for each in _differences(report) if each.arm not in USER_RUNS]


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
    """Heading and text of what a code's documentation says, but for the fix, which a finding has in particular."""
    try:
        sections = find_rule(code).sections()
    except UsageError:  # a report of another padcheck
        return []
    return [(heading.rstrip(":"), text) for heading, text in sections if heading.rstrip(":") != "Fix"]


def number(value: float | None) -> str:
    """A difference as a table has it."""
    return "NaN" if value is None else f"{value:.2g}"


def num_steps(difference: Difference) -> int:
    """How many steps were compared at most."""
    return max(len(row.steps) for row in difference.rows)


def kind(architecture: Architecture, name: str) -> str:
    """What the cell of a survey's table means, as its class."""
    if name == survey_wording.WITHOUT_MASK or survey_wording.cell(architecture, name) == "not run":
        return "unread"
    if survey_wording.is_wrong(architecture, name):
        return "wrong"
    return "right" if survey_wording.is_right(architecture, name) else "unclear"


def _differences(report: Report) -> list[Difference]:
    found = []
    for name, comparison in report.comparisons.items():
        rows, arm = report.evidence.differences.get(name, ()), report.evidence.runs.get(name)
        if not rows or arm is None or name == SINGLE:
            continue
        floor = tolerance_of(report.noise_floor, arm).floor if report.noise_floor is not None else 0.0
        drawn = chart(rows, comparison, floor)
        found.append(Difference(name, comparison.reference, arm.description or name, drawn, rows))
    return found


def _changed_in(report: Report, arm: str) -> set[int]:
    if arm not in report.comparisons:
        return set()
    return {
        row.prompt_index
        for row in report.comparisons[arm].rows
        if row.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE)
    }
