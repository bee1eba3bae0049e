"""PAD432: Right-padded without attention_mask, as evaluation harnesses score, a text gets another score."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule


class HarnessScoresDiffer(TaskRule):
    """Right-padded without attention_mask, as evaluation harnesses score, a text gets another score.

    Why it matters:
        lm-evaluation-harness pads on the right, passes no attention_mask, and reads the logits of the real tokens. For
        a causal model that is right. If tokens see the pads after them, benchmark results change with the batch.

    How padcheck knows:
        The right-padded batch runs without its mask. The log-likelihoods of the real tokens differ from those of the
        text alone, although they are right if the mask is passed.

    Fix:
        Evaluate with a batch size of 1, or in a program that passes the mask.

    References:
        EleutherAI/lm-evaluation-harness#704, huggingface/evaluate#636
    """

    code = "PAD432"
    name = "harness-scores-differ"
    severity = Severity.WARNING
    suppressed_by = ("PAD409",)
    tasks = ("score",)
    side = "right"

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if only the missing mask makes the right-padded batch wrong."""
        rows = [row for row in task.wrong("right_no_mask") if row.num_pad_tokens]
        encodes = not case.evidence.runs  # lm-evaluation-harness passes the mask to an encoder
        if encodes or not rows or not task.right_on("right"):
            return None
        return self.found(
            f"Right-padded and without attention_mask, the token log-likelihoods differ: {how_far(worst(rows))}.",
            fix="lm_eval --batch_size 1  # lm-evaluation-harness passes no attention_mask",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=worst(rows).max_abs_diff,
        )
