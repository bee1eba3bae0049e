"""PAD401: Left-padded forward() is wrong unless position_ids are passed."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class ForwardNeedsPositionIds(Rule):
    """Left-padded forward() is wrong unless position_ids are passed.

    Why it matters:
        generate() derives positions from the mask, forward() counts slots. With learned positions every score, loss or
        hand-written decoding loop on a left-padded batch is wrong, without a warning. Rotary and ALiBi models are not
        affected.

    How padcheck knows:
        Left-padded forward() without position_ids differs beyond rounding. With position_ids counted from the mask it
        does not.

    Fix:
        Pass position_ids, or pad on the right for scoring.

    References:
        huggingface/transformers#29583, ndif-team/nnsight#672, TransformerLensOrg/TransformerLens#1609
    """

    code = "PAD401"
    name = "forward-needs-position-ids"
    severity = Severity.WARNING
    reads = ("left_forward", "left_forward_positions")
    tasks = ("score", "train")
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires if passing positions is enough to make the padded rows right."""
        rows = case.wrong("left_forward")
        if not rows or not case.right("left_forward_positions"):
            return None
        furthest = worst(rows)
        return self.found(
            f"Left-padded forward() is right with position_ids; without them it is wrong for "
            f"{case.share('left_forward', rows)}: {how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix="position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
