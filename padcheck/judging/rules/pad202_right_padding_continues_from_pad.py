"""PAD202: Right-padded generation continues from a pad slot."""

from padcheck.core.run_results import Row
from padcheck.core.severity import Severity
from padcheck.core.use_case import UseCase
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import Rule


class RightPaddingContinuesFromPad(Rule):
    """Right-padded generation continues from a pad slot.

    Why it matters:
        generate() reads the next token from the last column. In a right-padded row that is a pad, so the model
        continues the pad and not the prompt. Since transformers 5.0 the positions of the new tokens are also counted
        from the last column. They collide with the prompt's positions, and every later token is wrong as well.

    How padcheck knows:
        Each prompt runs alone and in a right-padded batch, and a row with pads gives other logits. The positions that
        forward() received are compared with those counted from the mask. The cache of a right-padded prompt is then
        continued by hand from the last real token; this shows a state that also ran over the pads. The finding is an
        error if the caller says that the model is used like this (`--task generate --padding-side right`).

    Fix:
        Pad on the left for generating. Right padding remains correct for training and scoring.

    References:
        huggingface/transformers#18388, huggingface/transformers#48161, huggingface/transformers#43734,
        huggingface/transformers#48256
    """

    code = "PAD202"
    name = "right-padding-continues-from-pad"
    severity = Severity.WARNING
    reads = ("right",)
    tasks = ("generate",)
    side = "right"

    def decide(self, case: Case) -> Finding | None:
        """Fires if a padded row of the right-padded batch is different; an error if the caller generates like that."""
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
            f"differ from the same prompt alone: {how_far(furthest, f'prompt {furthest.prompt_index}')}."
            + (" New tokens got positions that the prompt already uses." if colliding else "")
            + (" The cache cannot be continued from the last real token either." if cache else ""),
            severity=Severity.ERROR if on_purpose else None,
            fix='tokenizer.padding_side = "left"  # before the prompts are tokenized',
            prompts=prompts,
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            prompts_with_colliding_positions=colliding,
            prompts_with_wrong_cache=sorted({step.prompt_index for step in cache}),
        )


def _collides(row: Row) -> bool:
    """True if a new token got the position of a real token of the prompt."""
    width = len(row.input_ids) - len(row.generated_ids)
    columns = list(zip(row.position_ids, row.attention_mask, strict=True))
    taken = {position for position, real in columns[:width] if real}
    return any(position is not None and position in taken for position, _ in columns[width:])
