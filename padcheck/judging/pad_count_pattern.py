"""What a sweep over pad counts says about the slots that a model anchors something to."""

from padcheck.judging.case import Step


def varies(steps: list[Step]) -> bool:
    """True where the difference changes with the number of pads by more than rounding."""
    found = [step.max_abs_diff for step in steps if step.max_abs_diff is not None]
    return len(found) > 1 and max(found) - min(found) > steps[0].allowed


def period(steps: list[Step]) -> int | None:
    """The least size whose multiples are all right while counts beyond it are wrong; None where there is none.

    At least two multiples must have been run, or one lucky number would look like a size. Others may be right too: a
    short prompt can lie in its block in more than one way.
    """
    for size in range(2, max((step.num_pad_tokens for step in steps), default=0) // 2 + 1):
        multiples = [step.off for step in steps if step.num_pad_tokens % size == 0]
        beyond = [step.off for step in steps if step.num_pad_tokens > size]
        if len(multiples) > 1 and not any(multiples) and any(beyond):
            return size
    return None
