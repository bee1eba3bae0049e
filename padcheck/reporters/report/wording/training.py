"""What a training step gave: loss and gradient of each way to make its batch, against those of the texts alone."""

from collections.abc import Iterable

from padcheck.core.report import Report
from padcheck.core.task_evidence import COSINE, GRADIENT_OFF, LABELS, LOSS, TaskEvidence, TaskRow
from padcheck.core.task_plans import STEP_ALONE, STEPS
from padcheck.core.verdicts import percent
from padcheck.reporters.report.wording.verdicts import in_words

TITLE = "A training step"
HEADINGS = ("step", "loss", "labels", "gradient off by", "cosine", "verdict")

_MOST_TELLING = (STEP_ALONE, "step_right", "step_left", "step_pad_id", "step_label_pads")
"""The usual ways to make a batch."""

Cells = tuple[str, str, str, str, str, str]


def rows(report: Report) -> list[Cells]:
    """What each step gave; empty if no step ran."""
    return _rows(report, STEPS)


def most_telling(report: Report) -> list[Cells]:
    """Like `rows`, for the usual ways to make a batch."""
    return _rows(report, _MOST_TELLING)


def legend(report: Report) -> str:
    """What the names of the steps mean."""
    eos = "; each text ends in eos" if report.evidence.special_token_ids.tokenizer.eos else ""
    return (
        "labels by pad id: DataCollatorForLanguageModeling; padded labels: DataCollatorForSeq2Seq, and trl's "
        f"SFTTrainer{eos}"
    )


def notes(report: Report) -> str:
    """Also how the numbers were measured; empty if no step ran."""
    task = report.evidence.task
    if task is None or STEP_ALONE not in task.runs:
        return ""
    dtype = task.runs[STEP_ALONE].dtype
    calculated = "" if dtype is None else f" in {dtype},"
    return (
        f"{legend(report)}; averaged: each text, or batch, weighs the same; by tokens: with num_items_in_batch; the "
        f"gradients are those of {' and '.join(task.sampled)},{calculated} without dropout"
    )


def _rows(report: Report, names: Iterable[str]) -> list[Cells]:
    task = report.evidence.task
    return [] if task is None else [_cells(report, task, name) for name in names if name in task.runs]


def _cells(report: Report, task: TaskEvidence, name: str) -> Cells:
    run = task.runs[name]
    if not run.rows:
        return (run.description, "", "", "", "", f"raised {run.error}")
    [row] = run.rows
    compared = report.task_comparisons.get(name)
    verdict = "the reference" if compared is None else in_words(compared.verdict)
    off = row.numbers.get(GRADIENT_OFF)
    share = "" if compared is None else "NaN" if off is None else percent(off)
    return (run.description, _number(row, LOSS), _number(row, LABELS), share, _number(row, COSINE), verdict)


def _number(row: TaskRow, name: str) -> str:
    if name not in row.numbers:
        return ""
    value = row.numbers[name]
    return "NaN" if value is None else f"{value:.4g}"
