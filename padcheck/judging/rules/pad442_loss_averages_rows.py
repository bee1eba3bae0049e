"""PAD442: The model's own loss is a mean of the means of the rows, not a mean over tokens."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.step_rule import StepRule, cause_of_wrong_loss, how_far_off, step, wrong_loss
from padcheck.judging.task_case import TaskCase


class LossAveragesRows(StepRule):
    """The model's own loss is a mean of the means of the rows, not a mean over tokens.

    Why it matters:
        The losses of transformers average over all tokens with a label. If each row is averaged first, a token of a
        short text weighs more than one of a long text, and the gradient depends on which texts share a batch.

    How padcheck knows:
        The loss of a padded batch is that of its texts alone, each averaged over its own tokens and then over the
        texts. It is not the mean over all tokens.

    Fix:
        Sum the loss over all tokens of the batch, and divide by their number. If rows are meant to weigh the same,
        ignore this code.

    References:
        huggingface/blog#2414, huggingface/transformers#35210
    """

    code = "PAD442"
    name = "loss-averages-rows"
    severity = Severity.WARNING

    def about_step(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires if the loss is exactly that mean."""
        found = step(task, wrong_loss(task) or "")
        if found is None or cause_of_wrong_loss(task) != "rows":
            return None
        return self.found(
            "The model's own loss averages over each row, and then over the rows: against a mean over all tokens, "
            f"{how_far_off(found)}.",
            fix="# in the model's loss:\nloss = cross_entropy(logits.flatten(0, 1), labels.flatten())",
        )
