"""PAD445: A usual collator makes labels that change the training step."""

from padcheck.core.severity import Severity
from padcheck.core.task_evidence import LABELS
from padcheck.core.task_plans import STEP_ALONE
from padcheck.core.verdicts import Finding
from padcheck.judging import pad_token_advice
from padcheck.judging.case import Case
from padcheck.judging.step_rule import StepRule, how_far_off, step
from padcheck.judging.task_case import TaskCase

_COLLATORS = {"step_pad_id": "DataCollatorForLanguageModeling", "step_label_pads": "DataCollatorForSeq2Seq"}


class CollatorDropsLabels(StepRule):
    """A usual collator makes labels that change the training step.

    Why it matters:
        DataCollatorForLanguageModeling writes -100 wherever a label equals the pad id. If pad is eos, or is in the
        texts, real tokens lose their labels. A model that is never trained on the eos of its texts never stops.

    How padcheck knows:
        The real collators make a batch of the texts, each ending in eos, with the pad token that this run used. The
        model runs one training step on it. The gradient is not that of the texts alone, although it is with labels that
        are masked by attention_mask.

    Fix:
        Use a collator that pads labels with -100, or mask the labels by attention_mask.

    References:
        huggingface/transformers#23530, huggingface/trl#976, unslothai/unsloth#416
    """

    code = "PAD445"
    name = "collator-drops-labels"
    severity = Severity.WARNING

    def about_step(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if labels by the mask give the step of the texts alone, and a collator's do not."""
        alone = step(task, STEP_ALONE)
        off = {name: row for name in _COLLATORS if task.wrong(name) and (row := step(task, name)) is not None}
        if alone is None or not off or not task.right("step_right"):
            return None
        total = int(alone.numbers[LABELS] or 0)
        said = "; ".join(
            f"with {_COLLATORS[name]} {int(row.numbers[LABELS] or 0)} of {total} labels count, and {how_far_off(row)}"
            for name, row in off.items()
        )
        pad = case.evidence.tokenizer.pad_token_used
        return self.found(
            f"Padding with {pad!r}, the step of {' and '.join(_COLLATORS[name] for name in off)} is not that of the "
            f"texts: {said}. Labels masked by attention_mask are right.",
            fix=pad_token_advice.LABELS_BY_MASK
            if "step_label_pads" in off
            else "collator = DataCollatorForSeq2Seq(tokenizer)  # pads labels with -100",
            collators=[_COLLATORS[name] for name in off],
            pad_token_id=case.evidence.tokenizer.pad_token_used_id,
        )
