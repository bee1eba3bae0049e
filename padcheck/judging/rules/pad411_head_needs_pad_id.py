"""PAD411: The head looks for the config's pad id, which is missing or another one."""

from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class HeadNeedsPadId(TaskRule):
    """The head looks for the config's pad id, which is missing or another one.

    Why it matters:
        The classification heads of decoder-only models find the last token of a text by its id: the rightmost one that
        is not `config.pad_token_id`. They do not look at attention_mask. If the config names no pad id, a batch raises.
        If it names another id than the tokenizer pads with, the head reads a pad in silence.

    How padcheck knows:
        The padded batch raises or is wrong with the config as it is, and right while the config names the id that the
        batch was padded with.

    Fix:
        Set the config's pad id to the tokenizer's, and save the model with it.

    References:
        huggingface/transformers#30447, RLHFlow/RLHF-Reward-Modeling#49, huggingface/trl#976
    """

    code = "PAD411"
    name = "head-needs-pad-id"
    severity = Severity.ERROR
    tasks = ("classify",)

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if setting the pad id is enough; a warning if the caller must set a pad token anyway."""
        sides = [side for side in task.sides if case.use.pads(side) and _is_fixed(task, side)]
        if not sides:
            return None
        side, ids = sides[0], case.evidence.special_token_ids
        named = "no pad id" if ids.config.pad is None else f"the pad id {ids.config.pad}"
        error, right = task.error(side), task.right(f"{side}_pad_id")
        what = (
            f"raises: {error.rstrip('.')}"
            if error is not None
            else f"is wrong: {how_far(worst(task.wrong_on(side)[1]))}"
        )
        must_be_set = error is not None and case.evidence.tokenizer.pad_token_id is None
        return self.found(
            f"The config names {named}, and texts were padded with {case.evidence.tokenizer.pad_token_used_id}. "
            f"The {side}-padded batch {what}. With that pad id in the config it {'is right' if right else 'runs'}.",
            severity=Severity.WARNING if must_be_set else severity_on(task, *sides),
            fix="model.config.pad_token_id = tokenizer.pad_token_id",
            config_pad_token_id=ids.config.pad,
            pad_token_id=case.evidence.tokenizer.pad_token_used_id,
            sides=sides,
        )


def _is_fixed(task: TaskCase, side: PaddingSide) -> bool:
    return task.needs_pad_id(side) or (task.harmed(side) and task.right(f"{side}_pad_id"))
