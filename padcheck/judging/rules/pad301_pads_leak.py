"""PAD301: Cause: the content of masked pad slots reaches real tokens."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule, attention_fix, code_fix


class PadsLeak(Rule):
    """Cause: the content of masked pad slots reaches real tokens.

    Why it matters:
        A mask says which slots do not count. If their content counts anyway, the result depends on which token is used
        for padding. Causes are a state that runs over the pads, a mask that is soft or shifted, or a norm over the
        sequence.

    How padcheck knows:
        The left-padded batch runs twice with the same mask, the second time with random ids in the masked slots. The
        logits of the first new token differ beyond rounding. The batch also runs with the other attention
        implementation.

    Fix:
        Mask the pads wherever the model mixes positions. Until then batch prompts of equal length.

    References:
        huggingface/transformers#32677, huggingface/transformers#41790, huggingface/transformers#48256
    """

    code = "PAD301"
    name = "pads-leak"
    severity = Severity.ERROR
    reads = ("scrambled",)
    suppressed_by = ("PAD206", "PAD207", "PAD304")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires if a padded row changes with the ids under its mask."""
        rows = [step for step in case.first_steps("scrambled") if step.off and step.max_abs_diff is not None]
        if not rows:
            return None
        furthest, other = worst(rows), case.right_with_attention()
        return self.found(
            f"Other ids in the masked pad slots change {case.share('scrambled', rows)}: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}')}."
            + (f" With {other} attention they do not." if other else ""),
            fix=attention_fix(other)
            if other
            else code_fix(case.place, "# mask the pads wherever positions are mixed (attention, conv, state, norm)"),
            place=case.place,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            right_with_attention=other,
        )
