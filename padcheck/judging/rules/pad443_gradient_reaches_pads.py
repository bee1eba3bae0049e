"""PAD443: The loss of the texts has a gradient at pads."""

from padcheck.core.severity import Severity
from padcheck.core.task_evidence import GRADIENT_AT_PADS
from padcheck.core.verdicts import Finding, percent
from padcheck.judging.case import Case
from padcheck.judging.rule import code_fix
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class GradientReachesPads(TaskRule):
    """The loss of the texts has a gradient at pads.

    Why it matters:
        Training then changes the embedding of the pad token, and each layer at the columns of pads. If pad is also
        another token, such as eos, that token is trained by the amount of padding.

    How padcheck knows:
        Only real tokens have a loss. Its gradient with respect to the embeddings of the padded batch is not zero at
        pads, although their content does not change the numbers of the texts.

    Fix:
        Mask the pads where the module that mixes columns reads them, or detach() what comes from them.

    References:
        unslothai/unsloth#3176, lucidrains/x-transformers#168
    """

    code = "PAD443"
    name = "gradient-reaches-pads"
    severity = Severity.ERROR
    suppressed_by = ("PAD301", "PAD304", "PAD408", "PAD409")
    tasks = ("train",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if the gradient at pads is more than rounding, as a share of the gradient of the text."""
        for side in task.sides:
            run, rows = task.wrong_on(side)
            shares = {
                row.prompt_index: row.numbers.get(GRADIENT_AT_PADS) or 0.0 for row in task.evidence.runs[run].rows
            }
            reached = {row.prompt_index: share for row in rows if (share := shares[row.prompt_index]) > row.allowed}
            if reached and case.use.pads(side):
                most = max(reached, key=lambda index: reached[index])
                return self.found(
                    f"In a {side}-padded batch the gradient of {len(reached)} texts reaches pads: for text {most} "
                    f"it is {percent(reached[most])} of the gradient of the text alone.",
                    severity=severity_on(task, side),
                    fix=code_fix(case.task_place(side), "scores = scores.masked_fill(~may_attend, float('-inf'))"),
                    side=side,
                    shares=reached,
                )
        return None
