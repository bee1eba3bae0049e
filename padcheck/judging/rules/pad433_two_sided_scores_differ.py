"""PAD433: A prompt padded on the left and its choice padded on the right give another score in one row."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule

_RUN = "two_sided"


class TwoSidedScoresDiffer(TaskRule):
    """A prompt padded on the left and its choice padded on the right give another score in one row.

    Why it matters:
        Preference and RL training, such as DPO and GRPO, pad prompts on the left and completions on the right, and put
        both into one row. The trainers pass attention_mask and no position_ids. If the log-probabilities of a
        completion move with its pads, so do rewards, the KL term, and the ratio that should be 1 in the first step.

    How padcheck knows:
        Each prompt with its choice runs in such rows, with attention_mask only, and again with position_ids counted
        from the mask. The log-likelihoods of the tokens of the choice differ from those of the same text alone.

    Fix:
        Pass position_ids if that was measured to be enough. Otherwise train with one text per batch, or move all pads
        to one side that is right.

    References:
        huggingface/trl#469, huggingface/trl#2708, huggingface/trl#6800
    """

    code = "PAD433"
    name = "two-sided-scores-differ"
    severity = Severity.WARNING
    suppressed_by = ("PAD206", "PAD402", "PAD404", "PAD405", "PAD409")
    tasks = ("score",)
    side = "left"

    def about(self, task: TaskCase, case: Case) -> Finding | Skipped | None:  # noqa: ARG002
        """Fires if the layout is wrong with the mask alone."""
        if not task.ran(_RUN):
            return self.skip(f"undecided: {task.error(_RUN) or 'it needs choices, and a position for each column'}")
        rows = task.wrong(_RUN)
        if not rows:
            return None
        positions = task.right(f"{_RUN}_positions")
        return self.found(
            "With the prompt padded on the left and the choice on the right, the token log-likelihoods are "
            f"{'right with position_ids and wrong without them' if positions else 'wrong'}: {how_far(worst(rows))}.",
            fix="position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)  # trl passes none"
            if positions
            else _without_positions(task),
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=worst(rows).max_abs_diff,
            allowed=worst(rows).allowed,
        )


def _without_positions(task: TaskCase) -> str:
    if task.right_on("right"):
        return "# move the pads of the prompt after the completion: right padding alone is right"
    return "per_device_train_batch_size = 1"
