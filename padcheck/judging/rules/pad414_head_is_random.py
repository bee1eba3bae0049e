"""PAD414: The head has random weights, because the checkpoint has none for it."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule


class HeadIsRandom(TaskRule):
    """The head has random weights, because the checkpoint has none for it.

    Why it matters:
        What padding does to a head can be seen with any weights, so the verdict on padding holds. The predicted classes
        themselves mean nothing until the head is trained.

    How padcheck knows:
        transformers reports weights of the head, and no others, as missing from the checkpoint. They are drawn with
        --seed, so the measurement can be repeated.

    Fix:
        Give a checkpoint with a trained head, or train this one.

    References:
        transformers' warning: Some weights were not initialized from the model checkpoint
    """

    code = "PAD414"
    name = "head-is-random"
    severity = Severity.INFO
    tasks = ("classify",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if the weights of the head were drawn and those of the other layers were loaded."""
        if task.evidence.head != "random" or case.evidence.model.weights == "random":
            return None
        return self.found(
            f"The checkpoint has no weights for the head of {case.evidence.model.architecture}, so they are random: "
            "the verdict on padding holds, and the predictions mean nothing.",
            fix="# a checkpoint whose head was trained",
        )
