"""PAD409: The results of a task depend on the batch, even without padding."""

from padcheck.core.severity import Severity
from padcheck.core.task_plans import TASK_USER_RUNS
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import EQUAL_LENGTH
from padcheck.judging.task_case import SIDES, TaskCase
from padcheck.judging.task_rule import TaskRule


class TaskDependsOnBatch(TaskRule):
    """The results of a task depend on the batch, even without padding.

    Why it matters:
        A row gets other numbers because of its neighbours, or because there are some. Batch normalization in training
        mode, expert capacity limits and faulty kernels do that. No padding can fix it.

    How padcheck knows:
        A batch of copies of one text needs no pads, and neither does the longest text of a padded batch. The results of
        such a row differ from those of the text alone beyond rounding.

    Fix:
        Run texts one by one if results must not depend on their neighbours.

    References:
        huggingface/transformers#22269, huggingface/transformers#25420
    """

    code = "PAD409"
    name = "task-depends-on-batch"
    severity = Severity.ERROR
    tasks = ("score", "train", "classify", "embed")
    suppressed_by = ("PAD206",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if a row without pads is different; a row that is only read elsewhere does not count."""
        for run in ("copies", *(name for side in TASK_USER_RUNS for name in task.reading_runs(side))):
            rows = [row for row in task.wrong(run) if not row.num_pad_tokens]
            if rows:
                furthest = worst(rows)
                return self.found(
                    f"Text {furthest.prompt_index} has no pads in {task.evidence.runs[run].description} and still "
                    f"differs from the text alone: {how_far(furthest)}.",
                    fix=f"# {EQUAL_LENGTH}: rows depend on their batch",
                    place=case.task_place(*SIDES),
                    run=run,
                    max_abs_diff=furthest.max_abs_diff,
                    allowed=furthest.allowed,
                )
        return None
