"""PAD202."""

from padcheck.core.evidence import Row
from padcheck.core.report import Finding, Skipped
from padcheck.core.severity import Severity
from padcheck.core.use_case import UseCase
from padcheck.judging.case import Case, worst
from padcheck.judging.rule import Rule


class RightPaddingContinuesFromPad(Rule):
    """Right-padded generation goes on from a pad slot.

    Why it matters:
        generate() reads the next token off the last column. In a right-padded row that is a pad, so the model continues
        the pad and not the prompt. Since transformers 5.0 the new tokens also get positions counted from the last
        column: they collide with the prompt's own, and every later token is wrong as well.

    How padcheck knows:
        Each prompt runs alone and in a right-padded batch; a row with pads gives other logits. The positions that
        forward() received are compared with those of the formula. The cache that a right-padded prompt leaves is then
        continued by hand from the last real token: a state that ran on over the pads shows there. It is an error where
        the caller says that this is how the model is used (`--task generate --padding-side right`).

    Fix:
        Pad on the left for generating. Right padding stays right for training and scoring.

    References:
        huggingface/transformers#18388, huggingface/transformers#48161, huggingface/transformers#43734,
        huggingface/transformers#48256
    """

    code = "PAD202"
    name = "right-padding-continues-from-pad"
    severity = Severity.WARNING
    tasks = ("generate",)
    side = "right"

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where a padded row of the right arm is different; an error where that is how the caller generates."""
        if not case.ran("right"):
            return self.skip("the right arm has no row to compare")
        wrong = case.wrong("right")
        if not wrong:
            return None
        furthest, prompts = worst(wrong), [row.prompt_index for row in wrong]
        rows = [row for row in case.evidence.runs["right"].rows if row.prompt_index in prompts]
        cache = [step for step in case.later_steps("right_continued") if step.off]
        colliding = [row.prompt_index for row in rows if _collides(row)]
        on_purpose = case.use == UseCase(task="generate", padding_side="right")
        return self.found(
            f"With right padding {len(wrong)} of {len(case.evidence.prompts)} prompts continue from a pad slot and "
            f"differ from the same prompt alone (max_abs_diff {furthest.max_abs_diff:.2g}, "
            f"{furthest.allowed:.2g} allowed)."
            + (" Their new tokens got positions that the prompt already uses." if colliding else "")
            + (" Nor can its cache be continued from the last real token." if cache else ""),
            severity=Severity.ERROR if on_purpose else None,
            fix='tokenizer.padding_side = "left"  # before the prompts are tokenized',
            prompts=prompts,
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            prompts_with_colliding_positions=colliding,
            prompts_with_wrong_cache=sorted({step.prompt_index for step in cache}),
        )


def _collides(row: Row) -> bool:
    """True where a new token got a position that a real token of the prompt has."""
    width = len(row.input_ids) - len(row.generated_ids)
    columns = list(zip(row.position_ids, row.attention_mask, strict=True))
    taken = {position for position, real in columns[:width] if real}
    return any(position is not None and position in taken for position, _ in columns[width:])
