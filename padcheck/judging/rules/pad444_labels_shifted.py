"""PAD444: The model's own loss does not compare each token's logits with the next token."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.step_rule import StepRule, cause_of_wrong_loss, how_far_off, step, wrong_loss
from padcheck.judging.task_case import TaskCase


class LabelsShifted(StepRule):
    """The model's own loss does not compare each token's logits with the next token.

    Why it matters:
        Labels are the ids themselves, and a causal language model's loss shifts them by one. If a loss shifts them
        twice, the model learns to skip a token. If it does not shift them, the model learns to repeat its input. The
        loss goes down all the same.

    How padcheck knows:
        The loss of a step is not the mean cross entropy of each next token. It is exactly that of the token after the
        next one, or of the token itself.

    Fix:
        Shift labels in one place: in the model's loss or in the collator.

    References:
        huggingface/transformers#32944, huggingface/transformers#27517, huggingface/transformers#46898
    """

    code = "PAD444"
    name = "labels-shifted"
    severity = Severity.ERROR

    def about_step(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires for either mistake. If labels are not shifted, a caller can shift them: that is a warning."""
        cause, found = cause_of_wrong_loss(task), step(task, wrong_loss(task) or "")
        if found is None or cause not in ("twice", "not shifted"):
            return None
        twice = cause == "twice"
        what = "shifts the labels twice" if twice else "does not shift the labels"
        return self.found(
            f"The model's own loss {what}: {how_far_off(found)}.",
            severity=Severity.ERROR if twice else Severity.WARNING,
            fix="# in the model's loss:\nloss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())"
            if twice
            else "labels = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=-100)",
            shifted=2 if twice else 0,
        )
