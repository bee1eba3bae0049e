"""PAD302: Cause: real tokens are numbered by slot, not by their place in the prompt."""

from padcheck.core.run_plans import IN_FLOAT32, SINGLE
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Verdict
from padcheck.judging.case import LEFT_BATCH, Case, how_far, worst
from padcheck.judging.pad_count_pattern import period, varies
from padcheck.judging.position_numbering import counted_from_slots
from padcheck.judging.rule import Rule, code_fix

_LOOKED_UP = ("learned", "sinusoidal")
_NOT_TAKEN = "forward() takes no position_ids"


class PositionsCountPadding(Rule):
    """Cause: real tokens are numbered by slot, not by their place in the prompt.

    Why it matters:
        With two pads before it, the first word of a prompt gets the position of the third. With positions from a table
        that is a different sentence. generate() with a correct mask is wrong for every row but the longest.

    How padcheck knows:
        Left padding changes the first new token. Other ids under the mask do not, so the content of the pads is not
        read. In addition, one of these holds. (1) The model looks up other rows of its position table with pads than
        alone. (2) The prompt alone, given the positions that it has after its pads, gives the same logits as with the
        pads. (3) The model has a position table, forward() takes no position_ids or does not read them (reversed, they
        change nothing to the last bit), and the difference changes with the pad count.

    Fix:
        Number the tokens by the mask: in prepare_inputs_for_generation(), or in the model if it ignores position_ids.

    References:
        ndif-team/nnsight#672, TransformerLensOrg/TransformerLens#1609, huggingface/transformers#29583
    """

    code = "PAD302"
    name = "positions-count-padding"
    severity = Severity.ERROR
    reads = (LEFT_BATCH, "scrambled")
    suppressed_by = ("PAD206", "PAD207", "PAD301", "PAD304")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | None:
        """Fires if shifted positions have the same effect as the pads, or position_ids are not read."""
        off = [step for step in case.first_steps(case.left) if step.off and step.max_abs_diff is not None]
        if not off or any(step.off for step in case.first_steps("scrambled")):
            return None
        prompts = [step.prompt_index for step in off]
        how = _looked_up(case, prompts) or _shown_by_shift(case, prompts) or _unread(case)
        if how is None:
            return None
        furthest = worst(off)
        return self.found(
            f"Real tokens are numbered by slot, pads included ({how}). "
            "Left padding changes the logits of the first new token: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix=code_fix(case.place, "position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)"),
            place=case.place,
            prompts=prompts,
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )


def _looked_up(case: Case, prompts: list[int]) -> str | None:
    """Shown by the rows of the position table that were looked up for the real tokens, alone and with pads."""
    single = IN_FLOAT32[SINGLE] if case.left != "left" else SINGLE
    alone, left = ({row.prompt_index: row for row in case.evidence.runs[run].rows} for run in (single, case.left))
    by_table = all(left[index].positions_used_by == "table" for index in prompts)
    if not by_table or not all(counted_from_slots(alone[index], left[index]) for index in prompts):
        return None
    return "the model looks up other rows of its position table with pads"


def _shown_by_shift(case: Case, prompts: list[int]) -> str | None:
    """Shown by each prompt alone, with the positions that it has after its pads."""
    if not case.ran("shifted"):
        return None
    # Batches that were not in doubt have no rows here.
    shifted = {row.prompt_index: row.verdict for row in case.comparisons["shifted"].rows}
    if any(shifted.get(index) not in (Verdict.IDENTICAL, Verdict.EQUIVALENT) for index in prompts):
        return None
    return "the prompt alone, with the positions it has after its pads, gives the same logits"


def _unread(case: Case) -> str | None:
    """Shown by reversed position_ids that change nothing, in a model that looks positions up."""
    reversed_run = case.evidence.runs.get("other_positions")
    steps = case.sweep()
    if (
        reversed_run is None
        or case.evidence.model.position_encoding not in _LOOKED_UP
        or not varies(steps)
        or period(steps)
    ):
        return None
    if (reversed_run.error or "").endswith(_NOT_TAKEN):
        return _NOT_TAKEN
    rows = [row for row in case.comparisons["other_positions"].rows if row.num_pad_tokens]
    unread = case.ran("other_positions") and all(row.verdict is Verdict.IDENTICAL for row in rows)
    return "position_ids are not read: reversed, they change nothing" if unread else None
