"""Patterns in a sweep over pad counts, which show that a model anchors something to slots."""

from padcheck.judging.case import Step


def varies(steps: list[Step]) -> bool:
    """True if the difference changes with the pad count by more than rounding."""
    found = [step.max_abs_diff for step in steps if step.max_abs_diff is not None]
    return len(found) > 1 and max(found) - min(found) > steps[0].allowed


def period(steps: list[Step]) -> int | None:
    """The smallest size whose multiples are all right while other counts beyond it are wrong; None if no size is.

    At least two multiples must have been run, or one lucky count would look like a size. Other counts may be right
    too, because a short prompt fits into its block in more than one place.
    """
    for size in range(2, max((step.num_pad_tokens for step in steps), default=0) // 2 + 1):
        multiples = [step.off for step in steps if step.num_pad_tokens % size == 0]
        beyond = [step.off for step in steps if step.num_pad_tokens > size]
        if len(multiples) > 1 and not any(multiples) and any(beyond):
            return size
    return None
