"""PAD446: Gradient accumulation averages over micro-batches, whatever num_items_in_batch says."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.step_rule import StepRule, how_far_off, step
from padcheck.judging.task_case import TaskCase

_WITH, _WITHOUT = "step_accumulated_tokens", "step_accumulated"


class AccumulationAveragesBatches(StepRule):
    """Gradient accumulation averages over micro-batches, whatever num_items_in_batch says.

    Why it matters:
        Each micro-batch has its own number of real tokens. If their mean losses are averaged, a token in a batch of
        short texts weighs more, and the gradient is not that of one large batch. Trainer passes num_items_in_batch to
        avoid that, which only helps if the model uses it.

    How padcheck knows:
        The texts run in two micro-batches, and forward() gets num_items_in_batch. It takes no such argument, or the sum
        of the two gradients is not that of the texts alone, although one large batch gives it.

    Fix:
        Train without accumulation, or divide summed losses by the labels of all micro-batches.

    References:
        huggingface/blog#2414, huggingface/transformers#35210
    """

    code = "PAD446"
    name = "accumulation-averages-batches"
    severity = Severity.WARNING

    def about_step(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires if the argument is refused or ignored, and averaging changes the gradient."""
        refused = "num_items_in_batch" in (task.error(_WITH) or "")
        averaged = step(task, _WITHOUT)
        if averaged is None or not task.right("step_right") or not task.wrong(_WITHOUT):
            return None
        if not refused and not task.wrong(_WITH):
            return None
        what = "takes no num_items_in_batch" if refused else "ignores num_items_in_batch"
        return self.found(
            f"forward() {what}, so gradient accumulation averages over micro-batches: with two of them, "
            f"{how_far_off(averaged)}.",
            fix="TrainingArguments(gradient_accumulation_steps=1)",
            refused=refused,
        )
