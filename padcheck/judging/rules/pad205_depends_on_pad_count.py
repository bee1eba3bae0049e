"""PAD205: Some pad counts are right and others wrong."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import LEFT_BATCH, Case, Step, how_far, worst
from padcheck.judging.rule import EQUAL_LENGTH, NO_SWEEP, Rule

_CLEARLY = 4.0
"""The wrong counts must be off by this many times more than the right ones, or both may be the same, near the limit."""


class DependsOnPadCount(Rule):
    """Some pad counts are right and others wrong.

    Why it matters:
        A test with one pad count passes or fails by luck, and so does a batch: a row is right or wrong depending on the
        length of its longest neighbour.

    How padcheck knows:
        If left padding changes a prompt, one prompt runs with 1 to 12, 15, 16 and 31 to 33 pads before it, and with
        counts around the sizes of the model's windows, blocks and chunks. Its next token is within rounding for some
        counts and clearly beyond for others. Every time, pieces of one text also run in two batches, with 1 to 33 pads.

    Fix:
        Use only pad counts that are right, or batch prompts of equal length.

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
        """Fires if the sweep has both."""
        steps = case.sweep()
        if not steps:
            return self.skip(NO_SWEEP) if case.wrong(case.left) else None
        wrong, right = [step for step in steps if step.off], [step for step in steps if not step.off]
        if not wrong:
            return self._in_one_batch(case)
        if not right or not _apart(right, wrong):
            return None
        furthest = worst(wrong)
        return self.found(
            f"Prompt {furthest.prompt_index} is right with {_counts(right)} pads and wrong with {_counts(wrong)}: "
            f"{how_far(furthest, f'{furthest.num_pad_tokens} pads')}.",
            fix=f"# more than {right[-1].num_pad_tokens} pads in a row are wrong: batch prompts of similar length"
            if right[-1].num_pad_tokens < wrong[0].num_pad_tokens
            else f"# {EQUAL_LENGTH}",
            prompt=furthest.prompt_index,
            right_pad_counts=[step.num_pad_tokens for step in right],
            wrong_pad_counts=[step.num_pad_tokens for step in wrong],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _in_one_batch(self, case: Case) -> Finding | None:
        """Only rows with different pad counts in one batch are wrong; left padding is right otherwise."""
        wrong = [step for step in case.screen() if step.off]
        if not wrong or case.wrong(case.left):
            return None
        furthest = worst(wrong)
        return self.found(
            f"Pieces of prompt {furthest.prompt_index} in one batch are wrong with {_counts(wrong)} pads: "
            f"{how_far(furthest, f'{furthest.num_pad_tokens} pads')}.",
            fix=f"# {EQUAL_LENGTH}",
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
    """Such as `1-3, 7`."""
    ranges: list[list[int]] = []
    for number in (step.num_pad_tokens for step in steps):
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    return ", ".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ranges)
