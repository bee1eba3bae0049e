"""What each prompt became in each user run, and how that compares with the prompt alone."""

from typing import NamedTuple

from padcheck.core.evidence import Row
from padcheck.core.facts import PaddingSide
from padcheck.core.report import Report, Verdict
from padcheck.core.run_plans import SINGLE, USER_RUNS

PAD = "⟨pad⟩"
"""Stands for the pad token in a row's columns."""

NEW = "▸"
"""Stands before the new tokens of a row."""

UNLIKE_MASK = "!"
"""Stands after a position that differs from the one that the mask gives."""


class Output(NamedTuple):
    """One prompt in one user run, and how it compares with the prompt alone."""

    run: str
    row: Row
    outcome: str


def outputs(report: Report, prompt_index: int) -> list[Output]:
    """One prompt in each user run that has a row for it; empty for a long prompt that --cross-limits added."""
    if prompt_index in report.evidence.crossing_prompts:
        return []
    return [
        Output(name, row, _outcome(report, name, row))
        for name, run in report.evidence.runs.items()
        for row in run.rows
        if name in USER_RUNS and row.prompt_index == prompt_index
    ]


def distinct_rows(outputs: list[Output]) -> list[tuple[str, Row]]:
    """The rows whose columns differ, each with the names of the runs that share it."""
    distinct: dict[tuple[object, ...], list[Output]] = {}
    for output in outputs:
        row = output.row
        shown = (row.input_ids, row.attention_mask, row.position_ids, row.positions_used)
        distinct.setdefault(shown, []).append(output)
    return [(", ".join(output.run for output in same), same[0].row) for same in distinct.values()]


def sample_title(side: PaddingSide) -> str:
    """The heading of a batch that the tokenizer padded."""
    return f"padded on the {side}"


def _outcome(report: Report, name: str, row: Row) -> str:
    """Compares the tokens of a row with the reference, and the logits if the tokens agree."""
    if name == SINGLE:
        return "the reference" if row.stand_in is None else f"the reference, from {row.stand_in}"
    for comparison in report.comparisons[name].rows:
        if comparison.prompt_index == row.prompt_index:
            step = comparison.first_different_token
            same = "same tokens" if step is None else f"differs from token {step} on"
            if step is None and comparison.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE):
                return f"{same}, but {comparison.reason}"
            return f"{same} (rounding)" if step is not None and comparison.verdict is Verdict.EQUIVALENT else same
    return "not compared"
