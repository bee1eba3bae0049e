"""PAD441: The model's own loss of a padded batch is not that of its texts."""

from padcheck.core.severity import Severity
from padcheck.core.task_evidence import LOSS
from padcheck.core.task_plans import STEP_ALONE
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.step_rule import StepRule, cause_of_wrong_loss, how_far_off, step, wrong_loss
from padcheck.judging.task_case import TaskCase


class OwnLossDiffers(StepRule):
    """The model's own loss of a padded batch is not that of its texts.

    Why it matters:
        A trainer passes labels and takes the loss that forward() returns. If that loss counts pads, or is wrong in
        another way, training depends on how much padding a batch has.

    How padcheck knows:
        The padded batch runs with a label for each token that a text alone would predict, and -100 for all others. The
        loss differs from the mean over these tokens of the texts alone, although the logits agree. If labels of -100
        make no difference, the loss counts pads.

    Fix:
        Leave labels of -100 out of the loss: torch's cross_entropy does that by itself.

    References:
        huggingface/transformers#32832, huggingface/transformers#2759
    """

    code = "PAD441"
    name = "own-loss-differs"
    severity = Severity.ERROR
    suppressed_by = ("PAD409",)

    def about_step(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires if a step is wrong, and neither its average nor its labels' shift is the cause."""
        name, cause = wrong_loss(task), cause_of_wrong_loss(task)
        if name is None or cause in ("rows", "twice", "not shifted"):
            return None
        found, alone = step(task, name), step(task, STEP_ALONE)
        assert found is not None and alone is not None  # noqa: S101, PT018  it was compared
        why = " Labels of -100 are as good as the pad id: the loss counts pads." if cause == "pads" else ""
        return self.found(
            f"In a training step on a {task.evidence.runs[name].padding_side}-padded batch the model's own loss is "
            f"{_number(found.numbers[LOSS])}; its texts alone give {_number(alone.numbers[LOSS])}, and "
            f"{how_far_off(found)}.{why}",
            fix="# in the model's loss:\nloss = cross_entropy(logits, labels, ignore_index=-100)",
            run=name,
            counts_pads=cause == "pads",
            loss=found.numbers[LOSS],
            expected=alone.numbers[LOSS],
        )


def _number(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.4g}"
