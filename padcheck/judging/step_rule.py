"""The base class of the rules about a training step, and what they share."""

from abc import abstractmethod
from typing import Literal

from padcheck.core.facts import PaddingSide
from padcheck.core.task_evidence import COSINE, GRADIENT_OFF, LOSS, LOSS_NOT_SHIFTED, LOSS_SHIFTED_TWICE, TaskRow
from padcheck.core.task_plans import STEP_ALONE, TaskRunName
from padcheck.core.verdicts import Finding, Skipped, percent
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule

LossCause = Literal["rows", "pads", "twice", "not shifted"]
"""What a loss does wrong: it averages over rows, counts pads, shifts the labels once too often, or never."""

LABELLED_RIGHT: dict[PaddingSide, TaskRunName] = {"right": "step_right", "left": "step_left_first"}
"""The step on each side whose labels are those of the texts alone."""


class StepRule(TaskRule):
    """A rule about a training step. It is undecided if the step of the texts alone did not run."""

    tasks = ("train",)

    def about(self, task: TaskCase, case: Case) -> Finding | Skipped | None:
        """A finding about the step, or None if all is well; skipped if the step did not run."""
        if step(task, STEP_ALONE) is None:
            error = task.error(STEP_ALONE)
            return self.skip(f"undecided: the training step {'did not run' if error is None else f'raised {error}'}")
        return self.about_step(task, case)

    @abstractmethod
    def about_step(self, task: TaskCase, case: Case) -> Finding | None:
        """A finding about the step, or None if all is well."""


def step(task: TaskCase, name: str) -> TaskRow | None:
    """What a step gave; None if it raised or did not run."""
    rows = task.evidence.runs[name].rows if name in task.evidence.runs else ()
    return rows[0] if rows else None


def how_far_off(row: TaskRow) -> str:
    """For example `the gradient is off by 37 % of its norm (cosine 0.93)`."""
    off, cosine = row.numbers[GRADIENT_OFF], row.numbers[COSINE]
    if off is None or cosine is None:
        return "the gradient is NaN"
    return f"the gradient is off by {percent(off)} of its norm (cosine {cosine:.2f})"


def wrong_loss(task: TaskCase) -> TaskRunName | None:
    """The step that is wrong although its labels are right and the model is right on its side; None if none is."""
    return next(
        (name for side, name in LABELLED_RIGHT.items() if task.right_on(side) and task.wrong(name)),
        None,
    )


def cause_of_wrong_loss(task: TaskCase) -> LossCause | None:
    """The known mistake that gives the loss of the wrong step; None if there is no such step or mistake."""
    name = wrong_loss(task)
    alone, found = step(task, STEP_ALONE), None if name is None else step(task, name)
    if name is None or alone is None or found is None:
        return None
    rows, all_ids = step(task, "step_rows"), step(task, "step_all_ids")
    with_mistake: dict[LossCause, float | None] = {
        "rows": None if rows is None else rows.numbers[LOSS],
        "pads": None if all_ids is None or name != "step_right" else all_ids.numbers[LOSS],
        "twice": alone.numbers[LOSS_SHIFTED_TWICE],
        "not shifted": alone.numbers[LOSS_NOT_SHIFTED],
    }
    loss, allowed = found.numbers[LOSS], task.comparisons[name].allowed or 0.0
    if loss is None:
        return None
    shares = {
        cause: abs(loss - expected) / abs(expected) for cause, expected in with_mistake.items() if expected is not None
    }
    nearest = min(shares, key=lambda cause: shares[cause])
    return nearest if shares[nearest] <= allowed else None
