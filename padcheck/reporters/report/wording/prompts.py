"""What each prompt became in each of the shown runs, and how that compares with the prompt alone."""

from collections.abc import Sequence
from typing import NamedTuple

from padcheck.core.facts import PaddingSide
from padcheck.core.report import Report
from padcheck.core.run_results import Row
from padcheck.core.severity import Severity
from padcheck.core.tolerances import share_of_allowance
from padcheck.core.verdicts import RowComparison, Verdict
from padcheck.reporters.report.wording.runs import deciding_run, shown_runs

PAD = "⟨pad⟩"
"""Stands for the pad token in a row's columns."""

NEW = "▸"
"""Stands before the new tokens of a row."""

UNLIKE_MASK = "!"
"""Stands after a position that differs from the one that the mask gives."""


_WRONG = (Verdict.DIFFERENT, Verdict.NON_FINITE)


class Output(NamedTuple):
    """One prompt in one run, and how it compares with the prompt alone."""

    run: str
    row: Row
    outcome: str


def outputs(report: Report, prompt_index: int) -> list[Output]:
    """One prompt in each of the shown runs that has a row for it; empty for one that --cross-limits added."""
    if prompt_index in report.evidence.crossing_prompts:
        return []
    runs = report.evidence.runs
    return [
        Output(name, row, _outcome(report, name, row))
        for name in shown_runs(report)
        for row in (runs[name].rows if name in runs else ())
        if row.prompt_index == prompt_index
    ]


def heading(report: Report, prompt_index: int) -> str:
    """The number of a prompt, and whether padcheck added it, so that the others get pads."""
    return f"Prompt {prompt_index}{' (added by padcheck)' if prompt_index == report.evidence.companion else ''}"


def most_telling(report: Report) -> int:
    """The prompt that shows best what padding does: an error names it, padding changes it, or it has the most pads."""
    named = {
        index
        for finding in report.findings
        if finding.severity is Severity.ERROR and isinstance(indices := finding.evidence.get("prompts"), (list, tuple))
        for index in indices
    }
    runs = [run for run in dict.fromkeys((deciding_run(report), *shown_runs(report))) if run in report.comparisons]
    rows = [{row.prompt_index: row for row in report.comparisons[run].rows} for run in runs]

    def how_telling(index: int) -> tuple[object, ...]:
        found = [each.get(index) for each in rows]
        pads = max((row.num_pad_tokens for row in found if row is not None), default=0)
        return (index in named, *map(_change, found), pads, -index)

    return max(range(len(report.evidence.prompts)), key=how_telling)


def _change(row: RowComparison | None) -> tuple[bool, bool, float]:
    """Whether a row is wrong, whether its text changes, and how wrong it is."""
    if row is None:
        return False, False, 0.0
    wrong = row.verdict in _WRONG
    share = share_of_allowance(row.max_abs_diff, row.allowed) if wrong else 0.0
    return wrong, row.first_different_token is not None, share


def first_different_token(report: Report, prompt_index: int) -> int | None:
    """The first token that padding changes in a prompt, from 0; None if it changes none."""
    rows = (row for run in shown_runs(report) if run in report.comparisons for row in report.comparisons[run].rows)
    steps = (row.first_different_token for row in rows if row.prompt_index == prompt_index)
    return next((step for step in steps if step is not None), None)


def distinct_rows(outputs: list[Output]) -> list[tuple[str, Row]]:
    """The rows whose columns differ, each with the names of the runs that share it."""
    distinct: dict[tuple[object, ...], list[Output]] = {}
    for output in outputs:
        row = output.row
        shown = (row.input_ids, row.attention_mask, row.position_ids, row.positions_used)
        distinct.setdefault(shown, []).append(output)
    return [(", ".join(output.run for output in same), same[0].row) for same in distinct.values()]


def together(texts: Sequence[str]) -> str:
    """Several cells of a line in one: `0×26` if they are equal, otherwise the first and the last."""
    first, last = texts[0], texts[-1]
    if len(texts) == 1:
        return first
    return f"{first}×{len(texts)}" if set(texts) == {first} else f"{first}…{last}"


def sample_title(side: PaddingSide) -> str:
    """The heading of a batch that the tokenizer padded."""
    return f"padded on the {side}"


def _outcome(report: Report, name: str, row: Row) -> str:
    """Compares the tokens of a row with the reference, and the logits if the tokens agree."""
    if name == shown_runs(report)[0]:
        return "the reference" if row.stand_in is None else f"the reference, from {row.stand_in}"
    for comparison in report.comparisons[name].rows:
        if comparison.prompt_index == row.prompt_index:
            step = comparison.first_different_token
            same = "same tokens" if step is None else f"differs from token {step} on"
            if step is None and comparison.verdict in _WRONG:
                return f"{same}, but {comparison.reason}"
            return f"{same} (rounding)" if step is not None and comparison.verdict is Verdict.EQUIVALENT else same
    return "not compared"
