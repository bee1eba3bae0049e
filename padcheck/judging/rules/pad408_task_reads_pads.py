"""PAD408: The content of masked pad slots reaches the results of a task."""

from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import code_fix
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class TaskReadsPads(TaskRule):
    """The content of masked pad slots reaches the results of a task.

    Why it matters:
        attention_mask is there to keep pads out. If a layer or the head uses the hidden states of pads all the same,
        as a mean over all slots does, results change with the number of pads and with their ids.

    How padcheck knows:
        The padded batch runs again with other ids in the masked slots. The results change beyond rounding, although the
        head reads the same tokens as before.

    Fix:
        Apply the mask in the module that the finding names, or in the pooling of the head.

    References:
        huggingface/sentence-transformers#3208, huggingface/transformers#22322
    """

    code = "PAD408"
    name = "task-reads-pads"
    severity = Severity.ERROR
    suppressed_by = ("PAD409",)
    tasks = ("score", "train", "classify", "embed")

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if a side is wrong, other ids under the mask matter, and the head did not just read another token."""
        sides = [side for side in task.sides if case.use.pads(side) and _leaks(task, side)]
        if not sides:
            return None
        furthest = worst(task.wrong(f"{sides[0]}_other_ids"))
        place = case.task_place(*sides)
        return self.found(
            f"Other ids in the masked slots of the {sides[0]}-padded batch change the {task.evidence.numbers}: "
            f"{how_far(furthest)}.",
            severity=severity_on(task, *sides),
            fix=code_fix(place, "multiply by attention_mask before pooling, or mask the scores"),
            sides=sides,
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )


def _leaks(task: TaskCase, side: PaddingSide) -> bool:
    other_ids = f"{side}_other_ids"
    if not task.harmed(side) or not any(row.num_pad_tokens for row in task.wrong(other_ids)):
        return False
    as_padded, changed = task.with_columns(side), task.with_columns(other_ids)
    same = all(
        # The maximum over all slots comes from other columns for other ids.
        len(row.read_at or ()) > 1 or changed[index].read_at == row.read_at
        for index, row in as_padded.items()
        if index in changed
    )
    # A head that reads one pad reads the wrong token (PAD412). A head that reads all columns lets pads in.
    reads_one_pad = any(row.read_at_token == (None,) for row in as_padded.values())
    return same and not reads_one_pad
