"""PAD415: With inputs_embeds in place of ids the head reads a pad."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule


class EmbedsHidePads(TaskRule):
    """With inputs_embeds in place of ids the head reads a pad.

    Why it matters:
        A head that finds the last token by its id has no ids if a caller passes inputs_embeds, as prompt tuning,
        adversarial training and attribution methods do. transformers' heads then take the last column, which is a pad
        in a right-padded batch. They warn once per process.

    How padcheck knows:
        The padded batch runs with input_ids and with inputs_embeds of the same ids. The first is right, the second one
        is wrong.

    Fix:
        Pad on the left if embeddings are passed, or pass ids.

    References:
        huggingface/transformers#30447
    """

    code = "PAD415"
    name = "embeds-hide-pads"
    severity = Severity.INFO
    tasks = ("classify",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if a side is right with ids and wrong with embeddings."""
        for side in task.sides:
            run = f"{side}_embeds"
            rows = [row for row in task.wrong(run) if row.num_pad_tokens]
            if rows and task.right_on(side) and case.use.pads(side):
                return self.found(
                    f"With inputs_embeds the {side}-padded batch is wrong: {how_far(worst(rows))}.",
                    fix='tokenizer.padding_side = "left"  # if inputs_embeds are passed'
                    if side == "right" and task.right("left_embeds")
                    else "# pass input_ids",
                    side=side,
                    max_abs_diff=worst(rows).max_abs_diff,
                )
        return None
