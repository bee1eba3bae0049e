"""What a task gave, such as classifying: the numbers of each text in each user run, the probes, and the verdicts."""

from collections.abc import Iterable

from padcheck.core.facts import PaddingSide
from padcheck.core.report import Report
from padcheck.core.severity import Severity
from padcheck.core.task_evidence import TaskEvidence, TaskRow
from padcheck.core.task_plans import ALONE, IN_FLOAT32, STEPS, TASK_PLANS, TASK_USER_RUNS
from padcheck.core.tolerances import FACTOR
from padcheck.core.verdicts import Comparison, Verdict
from padcheck.reporters.report.wording.verdicts import in_words
from padcheck.reporters.text.visible import visible_token

HEADINGS = ("text", "run", "outcome", "numbers", "read at", "compared")
PROBE_HEADINGS = ("probe", "verdict", "largest difference")
VERDICT_HEADINGS = ("run", "verdict", "reason")

_MANY_TEXTS = 8
"""With more texts than that, a terminal shows only some of them."""

_MOST_READ = 2
"""Columns whose tokens are named; a head that reads more of them reads the whole text."""


def title(task: TaskEvidence) -> str:
    """The heading, such as `Task classify: class logits`."""
    return f"Task {task.name}: {task.numbers}"


def rows(report: Report, *, all_texts: bool = True) -> list[tuple[str, str, str, str, str, str]]:
    """Each text in each user run: outcome, numbers, the token that was read, and how it compares with the reference.

    Without `all_texts`, and if there are many, only a few: those that padding changed, if it changed any.
    """
    task = report.evidence.task
    if task is None:
        return []
    return _rows(report, task, range(_num_texts(task)) if all_texts else _few_texts(report, task))


def most_telling(report: Report) -> list[tuple[str, str, str, str, str, str]]:
    """Like `rows`, for the text that shows best what padding does: it is changed, or it has the most pads."""
    task = report.evidence.task
    if task is None:
        return []
    pads = {row.prompt_index: row.num_pad_tokens for name in TASK_USER_RUNS for row in task.runs[name].rows}
    telling = _changed(report) or sorted(pads, key=lambda index: -pads[index])
    return _rows(report, task, telling[:1])


def _rows(report: Report, task: TaskEvidence, indices: Iterable[int]) -> list[tuple[str, str, str, str, str, str]]:
    ran = [
        (index, name, row)
        for index in indices
        for name in _shown_runs(report)
        if (row := _row(task, name, index)) is not None
    ]
    return [
        (
            str(index) if name == ALONE else "",
            name,
            row.outcome or _choice(task, index),
            ", ".join(f"{label} {_number(value)}" for label, value in row.numbers.items()),
            _read(task, name, index),
            _how(report, name, index),
        )
        for index, name, row in ran
    ]


def probe_rows(report: Report) -> list[tuple[str, str, str]]:
    """What is different about a probe, its verdict, and how far it is from its reference."""
    task = report.evidence.task
    if task is None:
        return []
    found = []
    for name, comparison in report.task_comparisons.items():
        if name in TASK_USER_RUNS or name in STEPS:
            continue
        run = task.runs[name]
        dtype = "" if run.dtype is None else f" (in {run.dtype})"
        far = "-" if comparison.max_abs_diff is None else f"{comparison.max_abs_diff:.2g}"
        outcome = f"raised {run.error}" if run.error is not None else f"{far} from {comparison.reference}"
        found.append((run.description + dtype, in_words(comparison.verdict), outcome))
    return found


def shown_verdicts(report: Report) -> dict[str, Comparison]:
    """The verdicts on the padded user runs that are judged, by run."""
    return {name: each for name, each in report.task_comparisons.items() if name in _shown_runs(report)}


def verdict_rows(report: Report) -> list[tuple[str, str, str]]:
    """Run, verdict and reason for each of these runs; with the task if there are verdicts on other runs too."""
    task = report.evidence.task
    of_task = "" if task is None or not report.comparisons else f" ({task.name})"
    return [
        (name + of_task, in_words(comparison.verdict), comparison.reason)
        for name, comparison in shown_verdicts(report).items()
    ]


def rounding_rows(report: Report) -> list[tuple[str, str]]:
    """How far rounding moves the numbers, by dtype, and what is allowed."""
    task = report.evidence.task
    if task is None:
        return []
    found = []
    for dtype, noise in task.noise.items():
        moved = "not measured" if noise.max_abs_diff is None else f"up to {noise.max_abs_diff:.2g}"
        found.append((dtype, f"random rounding errors move the {task.numbers} by {moved}"))
    if task.float32_error is not None:
        found.append(("", f"no run in float32: {task.float32_error}"))
    found.append(("allowed", f"{FACTOR:g} × what was measured, or the least of the dtype if that is more"))
    return found


def decides(report: Report) -> bool:
    """True if the verdict is about the task: nothing else was measured, or it finds what the other runs do not."""
    task = report.evidence.task
    if task is None or not report.evidence.runs:
        return task is not None
    return not _is_right(report, _side(report)) or bool(_wrong_steps(report))


def conclusion(report: Report) -> str:
    """What padding on the caller's side does to the task, and what it does on the other side if that differs."""
    if steps := _wrong_steps(report):
        return f"a training step is not that of its texts: {steps[0]}"
    side = _side(report)
    other = "right" if side == "left" else "left"
    does, other_does = _does(report, side), _does(report, other)
    asked = report.judgement.padding_side is not None
    what = f"{side} padding {does}" if asked or does != other_does else f"padding on either side {does}"
    with_pad_id = report.task_comparisons.get(f"{side}_pad_id")
    if not _is_right(report, side) and with_pad_id is not None and with_pad_id.verdict.within_rounding:
        what += ", except with the pad id in the config"
    return what if asked or does == other_does else f"{what}, {other} padding {other_does}"


def _wrong_steps(report: Report) -> list[str]:
    """The errors about a training step, by name."""
    return [
        finding.name
        for finding in report.findings
        if finding.code in ("PAD441", "PAD444") and finding.severity is Severity.ERROR
    ]


def _side(report: Report) -> PaddingSide:
    """The side that the caller pads on."""
    scores = report.evidence.task is not None and report.evidence.task.name == "score"
    return report.judgement.padding_side or ("right" if scores else report.evidence.tokenizer.padding_side)


def _does(report: Report, side: str) -> str:
    numbers = "numbers" if report.evidence.task is None else report.evidence.task.numbers
    if report.task_comparisons[side].verdict is Verdict.NOT_RUN:
        return "raises"
    return f"does not change the {numbers}" if _is_right(report, side) else f"changes the {numbers}"


def _is_right(report: Report, side: str) -> bool:
    runs = [report.task_comparisons[name] for name in (side, side + IN_FLOAT32) if name in report.task_comparisons]
    return bool(runs) and all(run.verdict.within_rounding for run in runs)


def _row(task: TaskEvidence, name: str, index: int) -> TaskRow | None:
    rows = task.runs[name].rows if name in task.runs else ()
    return next((row for row in rows if row.prompt_index == index), None)


def hides_texts(report: Report) -> bool:
    """True if there are so many texts that a terminal shows only some of them."""
    return report.evidence.task is not None and _num_texts(report.evidence.task) > _MANY_TEXTS


def _few_texts(report: Report, task: TaskEvidence) -> list[int]:
    indices = list(range(_num_texts(task)))
    if not hides_texts(report):
        return indices
    return (_changed(report) or indices)[:_MANY_TEXTS]


def _changed(report: Report) -> list[int]:
    """The texts that padding changes, in the runs that are shown."""
    shown = [report.task_comparisons[name] for name in _shown_runs(report) if name in report.task_comparisons]
    return sorted({row.prompt_index for run in shown for row in run.rows if not row.verdict.within_rounding})


def _shown_runs(report: Report) -> tuple[str, ...]:
    """Each text alone, then padded on the sides that are judged."""
    return tuple(name for name in TASK_USER_RUNS if report.judgement.use.pads(TASK_PLANS[name].padding_side))


def _num_texts(task: TaskEvidence) -> int:
    return 1 + max((row.prompt_index for run in task.runs.values() for row in run.rows), default=-1)


def _choice(task: TaskEvidence, index: int) -> str:
    """The prompt and the choice that a scored text is made of; empty for a whole text."""
    choice = task.choices[index] if index < len(task.choices) else None
    return "" if choice is None or choice.text is None else f"prompt {choice.prompt_index}, {choice.text!r}"


def _number(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.4g}"


def _read(task: TaskEvidence, name: str, index: int) -> str:
    """The token that was read; in float32 if that is where it was looked up. Empty if it is unknown."""
    for run in (name, name + IN_FLOAT32):
        row = _row(task, run, index)
        if row is not None and row.read_at is not None:
            if len(row.read_at) > _MOST_READ:
                return f"{len(row.read_at)} columns"
            return ", ".join(
                "pad" if token is None else f"{token} {visible_token(text)}"
                for token, text in zip(row.read_at_token, row.read_tokens, strict=True)
            )
    return ""


def _how(report: Report, name: str, index: int) -> str:
    if name == ALONE:
        return "the reference"
    comparison = report.task_comparisons.get(name)
    rows = comparison.rows if comparison is not None else ()
    return next((in_words(row.verdict) for row in rows if row.prompt_index == index), "not compared")
