"""PAD205."""

from padcheck.core.report import Finding, Skipped
from padcheck.core.severity import Severity
from padcheck.judging.case import LEFT_BATCH, Case, Step, worst
from padcheck.judging.rule import Rule

_CLEARLY = 4.0
"""How many times further off the wrong counts must be than the right ones: else both may be the same, near the edge."""


class DependsOnPadCount(Rule):
    """Some pad counts are right and others wrong.

    Why it matters:
        A test with one number of pads passes or fails by luck, and so does a batch: a row is right or wrong depending
        on how long its longest neighbour is.

    How padcheck knows:
        Where left padding changes a prompt, one prompt runs behind 1 to 12, 15, 16 and 31 to 33 pads, and around the
        sizes of the model's own windows, blocks and chunks. Its next token is within rounding for some of them and
        clearly beyond for others. In every run, pieces of one text also run in two batches, behind 1 to 33 pads.

    Fix:
        Keep to the counts that are right, or batch prompts of equal length.

    References:
        huggingface/transformers#47651
    """

    code = "PAD205"
    name = "depends-on-pad-count"
    severity = Severity.ERROR
    reads = (LEFT_BATCH,)
    suppressed_by = ("PAD206", "PAD207", "PAD305")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires where the sweep has both."""
        steps = case.sweep()
        if not steps:
            return self.skip("the sweep over pad counts did not run") if case.wrong(case.left) else None
        wrong, right = [step for step in steps if step.off], [step for step in steps if not step.off]
        if not wrong:
            return self._in_one_batch(case)
        if not right or not _apart(right, wrong):
            return None
        furthest = worst(wrong)
        far = "NaN" if furthest.max_abs_diff is None else f"{furthest.max_abs_diff:.2g}"
        return self.found(
            f"Prompt {furthest.prompt_index} is right behind {_counts(right)} pads and wrong behind {_counts(wrong)}: "
            f"max_abs_diff {far} behind {furthest.num_pad_tokens} ({furthest.allowed:.2g} allowed).",
            fix=f"# more than {right[-1].num_pad_tokens} pads in a row are wrong: batch prompts of similar length"
            if right[-1].num_pad_tokens < wrong[0].num_pad_tokens
            else "# batch prompts of equal length, or one by one",
            prompt=furthest.prompt_index,
            right_pad_counts=[step.num_pad_tokens for step in right],
            wrong_pad_counts=[step.num_pad_tokens for step in wrong],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _in_one_batch(self, case: Case) -> Finding | None:
        """Only rows with different numbers of pads in one batch are wrong, and left padding is right otherwise."""
        wrong = [step for step in case.screen() if step.off]
        if not wrong or case.wrong(case.left):
            return None
        furthest = worst(wrong)
        far = "NaN" if furthest.max_abs_diff is None else f"{furthest.max_abs_diff:.2g}"
        return self.found(
            f"Pieces of prompt {furthest.prompt_index} in one batch are wrong behind {_counts(wrong)} pads: "
            f"max_abs_diff {far} behind {furthest.num_pad_tokens} ({furthest.allowed:.2g} allowed).",
            fix="# batch prompts of equal length, or one by one",
            prompt=furthest.prompt_index,
            wrong_pad_counts=[step.num_pad_tokens for step in wrong],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )


def _apart(right: list[Step], wrong: list[Step]) -> bool:
    nearest_wrong = min((step.max_abs_diff for step in wrong if step.max_abs_diff is not None), default=None)
    furthest_right = max(step.max_abs_diff or 0.0 for step in right)
    return nearest_wrong is None or nearest_wrong > _CLEARLY * furthest_right


def _counts(steps: list[Step]) -> str:
    """`1-3, 7`: neighbours are put together."""
    runs: list[list[int]] = []
    for number in (step.num_pad_tokens for step in steps):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
