"""PAD431: Padding changes which of the choices of a prompt has the best score."""

from padcheck.core.severity import Severity
from padcheck.core.task_plans import ALONE
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class ChoiceFlips(TaskRule):
    """Padding changes which of the choices of a prompt has the best score.

    Why it matters:
        Multiple-choice benchmarks take the choice with the highest log-likelihood. If that changes with the padding, a
        published accuracy depends on the batch size.

    How padcheck knows:
        The log-likelihoods of the choices are summed over their tokens, alone and in the padded batch. The best one is
        another one, and the score of one of them differs by more than rounding explains.

    Fix:
        Pad on the right, and sum over the tokens of the choice only.

    References:
        EleutherAI/lm-evaluation-harness#704, allenai/open-instruct#75
    """

    code = "PAD431"
    name = "choice-flips"
    severity = Severity.ERROR
    suppressed_by = ("PAD206", "PAD409")
    tasks = ("score",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if the best choice changes on a side that counts."""
        for side in task.sides:
            run, rows = task.wrong_on(side)
            wrong = {task.evidence.choices[row.prompt_index].prompt_index for row in rows}
            reference = task.comparisons[run].reference if run in task.comparisons else ALONE
            alone, padded = task.best_choices(reference), task.best_choices(run)
            flipped = [index for index in padded if index in wrong and padded[index] != alone.get(index)]
            if flipped and case.use.pads(side):
                said = ", ".join(f"of prompt {index} from {alone[index]!r} to {padded[index]!r}" for index in flipped)
                return self.found(
                    f"{side.capitalize()} padding changes the best choice {said}.",
                    severity=severity_on(task, side),
                    fix='tokenizer.padding_side = "right"'
                    if task.right_on("right")
                    else "# score texts of equal length together, or one by one",
                    side=side,
                    prompts=flipped,
                )
        return None
