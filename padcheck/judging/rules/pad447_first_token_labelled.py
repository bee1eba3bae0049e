"""PAD447: In left-padded batches, labels by the mask train a pad to predict the first token."""

from padcheck.core.severity import Severity
from padcheck.core.task_evidence import LABELS
from padcheck.core.task_plans import STEP_ALONE
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.step_rule import StepRule, how_far_off, step
from padcheck.judging.task_case import TaskCase


class FirstTokenLabelled(StepRule):
    """In left-padded batches, labels by the mask train a pad to predict the first token.

    Why it matters:
        The first token of a text has nothing before it, so a text alone has no loss for it. In a left-padded batch the
        column before it is a pad. If the label of the first token counts, the model is trained on what it makes of
        pads, and the loss depends on how many rows have some.

    How padcheck knows:
        One training step runs on the left-padded batch with labels masked by attention_mask, as collators make them.
        Its gradient is not that of the texts alone. It is if the label of each first token is -100 as well.

    Fix:
        Pad on the right for training, or give the first token of each text the label -100.

    References:
        huggingface/trl#550, huggingface/trl#4497, unslothai/unsloth#1168
    """

    code = "PAD447"
    name = "first-token-labelled"
    severity = Severity.WARNING
    side = "left"

    def about_step(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires if the caller pads on the left, and only the first labels are wrong."""
        found, alone = step(task, "step_left"), step(task, STEP_ALONE)
        if task.side != "left" or not task.wrong("step_left") or not task.right("step_left_first"):
            return None
        assert found is not None and alone is not None  # noqa: S101, PT018  it was compared
        extra = int((found.numbers[LABELS] or 0) - (alone.numbers[LABELS] or 0))
        return self.found(
            f"In a left-padded batch the first token of {extra} texts has a label that only a pad could predict: "
            f"{how_far_off(found)}.",
            fix='tokenizer.padding_side = "right"  # for training, or:\n'
            "labels = input_ids.masked_fill(attention_mask.cumsum(-1) <= 1, -100)",
            labels=extra,
        )
