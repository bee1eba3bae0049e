"""PAD407: A left-padded batch of a task is wrong unless position_ids are passed."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class TaskNeedsPositionIds(TaskRule):
    """A left-padded batch of a task is wrong unless position_ids are passed.

    Why it matters:
        Most models number the tokens by slot if they get no position_ids, so the pads on the left count. generate()
        passes position_ids by itself, but forward() does not, and neither do pipelines and trainers.

    How padcheck knows:
        The left-padded batch runs with its attention_mask only, and again with position_ids counted from the mask. Only
        with them do all rows give what the texts give alone.

    Fix:
        Pass position_ids, or pad on the right.

    References:
        huggingface/transformers#29583, ndif-team/nnsight#672
    """

    code = "PAD407"
    name = "task-needs-position-ids"
    severity = Severity.ERROR
    suppressed_by = ("PAD409",)
    tasks = ("classify", "embed")
    side = "left"

    def about(self, task: TaskCase, case: Case) -> Finding | None:  # noqa: ARG002
        """Fires if passing positions is enough to make the padded rows right."""
        _, rows = task.wrong_on("left")
        if not rows or not task.right("left_positions"):
            return None
        furthest = worst(rows)
        return self.found(
            f"The left-padded batch is right with position_ids and wrong without them: {how_far(furthest)}.",
            severity=severity_on(task, "left"),
            fix="position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
