"""The runs of a task, such as classifying: what each one is for, and which run it is compared with.

`padcheck.hf.tasks.table` executes them. The runs of generate() and of next-token logits are in
`padcheck.core.run_plans`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from padcheck.core.facts import PaddingSide

TaskRunName = Literal[
    "alone",
    "left",
    "right",
    "copies",
    "left_positions",
    "left_no_mask",
    "right_no_mask",
    "left_other_ids",
    "right_other_ids",
    "left_pad_id",
    "right_pad_id",
    "left_embeds",
    "right_embeds",
    "left_last_column",
    "right_last_column",
    "left_mask_sum",
    "right_mask_sum",
    "left_first_column",
    "right_first_column",
    "left_all_slots",
    "right_all_slots",
    "two_sided",
    "two_sided_positions",
    "ends_in_eos",
    "broken_mask",
    "step_alone",
    "step_rows",
    "step_right",
    "step_left",
    "step_left_first",
    "step_pad_id",
    "step_label_pads",
    "step_all_ids",
    "step_accumulated",
    "step_accumulated_tokens",
]

ALONE: Final = "alone"
"""Each text alone, without padding: the reference of the other runs."""

STEP_ALONE: Final = "step_alone"
"""The loss and the gradient that a step on a batch must give, summed up from the texts alone."""

IN_FLOAT32 = "_float32"
"""The end of the name of a user run that a 16-bit model repeats in float32."""


@dataclass(frozen=True)
class TaskPlan:
    """What a run is for.

    Attributes:
        description: What is different about it, for the report.
        reference: The run that it is compared with; None if it is not compared.
        padding_side: The side that prompts are padded on; None if nothing is padded.
        by_users: Users run texts like this. The other runs are probes.
        control: It has a fault made on purpose. If no control changes a padded row, no fault could be seen.
    """

    description: str
    reference: TaskRunName | None
    padding_side: PaddingSide | None = None
    by_users: bool = False
    control: bool = False


TASK_PLANS: dict[TaskRunName, TaskPlan] = {
    "alone": TaskPlan("each text alone", None, by_users=True),
    "left": TaskPlan("the left-padded batch", ALONE, "left", by_users=True),
    "right": TaskPlan("the right-padded batch", ALONE, "right", by_users=True),
    "copies": TaskPlan("a batch of copies of one text, nothing padded", ALONE),
    "left_positions": TaskPlan("left, position_ids from the mask", ALONE, "left"),
    "left_no_mask": TaskPlan("left, no attention_mask", ALONE, "left", control=True),
    "right_no_mask": TaskPlan("right, no attention_mask", ALONE, "right"),
    "left_other_ids": TaskPlan("left, other ids under the mask", "left", "left"),
    "right_other_ids": TaskPlan("right, other ids under the mask", "right", "right"),
    "left_pad_id": TaskPlan("left, pad id set in the config", ALONE, "left"),
    "right_pad_id": TaskPlan("right, pad id set in the config", ALONE, "right"),
    "left_embeds": TaskPlan("left, inputs_embeds in place of ids", ALONE, "left"),
    "right_embeds": TaskPlan("right, inputs_embeds in place of ids", ALONE, "right"),
    "left_last_column": TaskPlan("left, pooled by [:, -1]", ALONE, "left"),
    "right_last_column": TaskPlan("right, pooled by [:, -1]", ALONE, "right"),
    "left_mask_sum": TaskPlan("left, pooled by mask.sum() - 1", ALONE, "left"),
    "right_mask_sum": TaskPlan("right, pooled by mask.sum() - 1", ALONE, "right"),
    "left_first_column": TaskPlan("left, pooled by [:, 0]", ALONE, "left"),
    "right_first_column": TaskPlan("right, pooled by [:, 0]", ALONE, "right"),
    "left_all_slots": TaskPlan("left, pooled by mean(1), pads included", ALONE, "left"),
    "right_all_slots": TaskPlan("right, pooled by mean(1), pads included", ALONE, "right"),
    "two_sided": TaskPlan("prompt padded left, choice padded right", ALONE, "left"),
    "two_sided_positions": TaskPlan("the same, position_ids from the mask", ALONE, "left"),
    "ends_in_eos": TaskPlan("each text alone, eos at its end", None),
    "broken_mask": TaskPlan("the mask broken on purpose", ALONE, "left", control=True),
    STEP_ALONE: TaskPlan("the texts alone", None),
    "step_rows": TaskPlan("the texts alone, averaged", STEP_ALONE),
    "step_right": TaskPlan("right, labels by the mask", STEP_ALONE, "right"),
    "step_left": TaskPlan("left, labels by the mask", STEP_ALONE, "left"),
    "step_left_first": TaskPlan("left, no label for first tokens", STEP_ALONE, "left"),
    "step_pad_id": TaskPlan("right, labels by pad id", STEP_ALONE, "right"),
    "step_label_pads": TaskPlan("right, padded labels", STEP_ALONE, "right"),
    "step_all_ids": TaskPlan("right, labels on pads too", STEP_ALONE, "right"),
    "step_accumulated": TaskPlan("two micro-batches, averaged", STEP_ALONE),
    "step_accumulated_tokens": TaskPlan("two micro-batches, by tokens", STEP_ALONE),
}
"""All runs of tasks, in the order of the report."""

STEPS = tuple(name for name in TASK_PLANS if name.startswith("step_"))
"""Steps of training on a whole batch. The only row of such a run is the batch, under the number of its first text."""

TASK_USER_RUNS = tuple(name for name, plan in TASK_PLANS.items() if plan.by_users)
TASK_CONTROLS = tuple(name for name, plan in TASK_PLANS.items() if plan.control)
