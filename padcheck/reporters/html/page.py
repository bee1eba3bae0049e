"""What a page shows of a report, in the order of the page."""

from typing import NamedTuple

from padcheck.core.errors import UsageError
from padcheck.core.facts import PaddingSide
from padcheck.core.noise_floor import tolerance_of
from padcheck.core.report import Architecture, Report
from padcheck.core.run_plans import SINGLE, USER_RUNS
from padcheck.core.run_results import Row, RowDifference
from padcheck.core.verdicts import Verdict
from padcheck.judging.caller_rules import find_code
from padcheck.reporters.html.chart import Chart, chart
from padcheck.reporters.html.heat_map import HeatMap, heat_map
from padcheck.reporters.report.wording.prompts import Output, heading, most_telling, outputs
from padcheck.reporters.report.wording.runs import is_expected, shown_runs
from padcheck.reporters.survey import wording as survey_wording

_FEW_PROMPTS = 4


class Prompt(NamedTuple):
    """One prompt in the shown runs.

    `changed` names the runs in which padding changed it. Only the most telling prompt is `open`; few prompts are
    `listed`, and the others are folded away together.
    """

    number: int
    heading: str
    text: str
    changed: list[str]
    open: bool
    listed: bool
    outputs: list[Output]


class Difference(NamedTuple):
    """How far a run is from its reference, as a chart and as numbers."""

    run: str
    reference: str
    description: str
    chart: Chart
    rows: tuple[RowDifference, ...]


def prompts(report: Report) -> list[Prompt]:
    """The prompts that ran: the most telling one, and if there are many, those that changed, before the others."""
    changed = {name: _changed_in(report, name) for name in shown_runs(report)}
    indices = [index for index in range(len(report.evidence.prompts)) if outputs(report, index)]
    first = most_telling(report)
    if len(indices) > _FEW_PROMPTS:
        indices.sort(key=lambda index: (index != first, not any(index in those for those in changed.values())))
    return [
        Prompt(
            number=index,
            heading=heading(report, index),
            text=report.evidence.prompts[index],
            changed=[name for name, those in changed.items() if index in those],
            open=index == first,
            listed=place < _FEW_PROMPTS,
            outputs=outputs(report, index),
        )
        for place, index in enumerate(indices)
    ]


def heat_maps(report: Report) -> list[tuple[str, HeatMap]]:
    """The masks of the shown runs, with a mark at each prompt that the run changed."""
    added = report.evidence.crossing_prompts
    runs = {name: report.evidence.runs[name] for name in shown_runs(report) if name in report.evidence.runs}
    return [
        (name, heat_map(tuple(row for row in run.rows if row.prompt_index not in added), _changed_in(report, name)))
        for name, run in runs.items()
        if run.rows
    ]


def runs_to_hide(report: Report) -> list[str]:
    """The runs that a reader can hide."""
    return [name for name in shown_runs(report) if name in USER_RUNS and report.evidence.runs.get(name)]


def user_runs(report: Report) -> list[Difference]:
    """The charts of the shown runs."""
    return [each for each in _differences(report) if each.run in shown_runs(report)[1:]]


def probes(report: Report) -> list[Difference]:
    """The charts of the probes."""
    return [
        each
        for each in _differences(report)
        if each.run not in (*USER_RUNS, *shown_runs(report)[1:])
        and report.judgement.use.pads(report.evidence.runs[each.run].padding_side)
    ]


def status_of(report: Report, run: str) -> str:
    """The CSS class of a verdict: that of a status of a report."""
    verdict = report.comparisons[run].verdict
    if verdict.within_rounding:
        return "pass"
    return "not_measured" if verdict is Verdict.NOT_RUN or is_expected(report, run) else "fail"


TOOLTIPS = {
    "token": "The text of each token; ⟨pad⟩×3 stands for three pads next to each other",
    "input_ids": "The ids that the tokenizer gives",
    "attention_mask": "1 for a real token, 0 for a pad",
    "position_ids": "What forward() received; - for a token that never entered it",
    "positions used": "What the model really used, whatever it received",
    "from the mask": "The textbook formula: cumsum(mask) - 1, and 1 for a pad",
    "identical": "Same tokens, same logits to the last bit",
    "equivalent": "Rounding explains the difference",
    "different": "Rounding does not explain the difference",
    "non finite": "NaN, or an infinity that the reference lacks",
    "not run": "The run raised an error, or has nothing to be compared with",
    "error": "A batch gives wrong results, or crashes, even if the caller does everything right",
    "warning": "The default or most common way of calling gives wrong results or crashes",
    "info": "Worth knowing; nothing is wrong",
}
"""What a word of the page means."""


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
