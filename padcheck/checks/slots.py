"""What a sweep over pad counts says about the slots that a model anchors something to."""

from padcheck.checks.base import Step


def varies(steps: list[Step]) -> bool:
    """True where the difference changes with the number of pads by more than rounding."""
    found = [step.max_abs_diff for step in steps if step.max_abs_diff is not None]
    return len(found) > 1 and max(found) - min(found) > steps[0].allowed


def period(steps: list[Step]) -> int | None:
    """The least size whose multiples are all right while something in between is wrong; None where there is none.

    At least two multiples must have been run, or one lucky number would look like a size.
    """
    right = {step.num_pad_tokens for step in steps if not step.off}
    counts = {step.num_pad_tokens for step in steps}
    if right == counts:
        return None
    for size in sorted(right - {1}):
        multiples = {count for count in counts if count % size == 0}
        if len(multiples) > 1 and multiples <= right and not any(count < size for count in right):
            return size
    return None
