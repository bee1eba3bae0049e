"""PAD302."""

from padcheck.core.report import Finding, Verdict
from padcheck.core.run_plans import IN_FLOAT32, SINGLE
from padcheck.core.severity import Severity
from padcheck.judging.case import LEFT_BATCH, Case, worst
from padcheck.judging.pad_count_pattern import period, varies
from padcheck.judging.position_numbering import counted_from_slots
from padcheck.judging.rule import Rule, code_fix

_LOOKED_UP = ("learned", "sinusoidal")
_NOT_TAKEN = "forward() takes no position_ids"


class PositionsCountPadding(Rule):
    """Cause: real tokens are numbered by slot, not by their place in the prompt.

    Why it matters:
        Behind two pads the first word of a prompt is told that it is the third. With positions from a table that is
        another sentence; generate() with a correct mask is wrong for every row but the longest.

    How padcheck knows:
        Left padding changes the first new token, and other ids under the mask do not, so the pads are not seen. Then
        one of these: the model looks up other rows of its position table behind pads than alone; the prompt alone,
        given the positions that it has behind its pads, says the same as behind them; or forward() takes no
        position_ids, or does not read them (backwards they change nothing to the last bit), in a model that looks
        positions up, and the difference changes with the number of pads.

    Fix:
        Number the tokens by the mask: in prepare_inputs_for_generation(), or in the model where it ignores
        position_ids.

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
        """Fires where shifted positions alone do what the pads do, or position_ids are not read."""
        off = [step for step in case.first_steps(case.left) if step.off and step.max_abs_diff is not None]
        if not off or any(step.off for step in case.first_steps("scrambled")):
            return None
        prompts = [step.prompt_index for step in off]
        how = _looked_up(case, prompts) or _shown_by_shift(case, prompts) or _unread(case)
        if how is None:
            return None
        furthest = worst(off)
        return self.found(
            f"Real tokens are numbered by slot, pads included ({how}). Left padding moves the first new token's logits "
            f"by {furthest.max_abs_diff:.2g} at prompt {furthest.prompt_index} ({furthest.allowed:.2g} allowed).",
            fix=code_fix(case.place, "position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)"),
            place=case.place,
            prompts=prompts,
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )


def _looked_up(case: Case, prompts: list[int]) -> str | None:
    """The rows of the position table that were looked up for the real tokens, alone and behind pads."""
    single = IN_FLOAT32[SINGLE] if case.left != "left" else SINGLE
    alone, left = ({row.prompt_index: row for row in case.evidence.runs[arm].rows} for arm in (single, case.left))
    by_table = all(left[index].positions_used_by == "table" for index in prompts)
    if not by_table or not all(counted_from_slots(alone[index], left[index]) for index in prompts):
        return None
    return "the model looks up other rows of its position table behind pads"


def _shown_by_shift(case: Case, prompts: list[int]) -> str | None:
    if not case.ran("shifted"):
        return None
    # A batch that called for no expensive probe has no rows here.
    shifted = {row.prompt_index: row.verdict for row in case.comparisons["shifted"].rows}
    if any(shifted.get(index) not in (Verdict.IDENTICAL, Verdict.EQUIVALENT) for index in prompts):
        return None
    return "the prompt alone, given the positions it has behind its pads, says the same"


def _unread(case: Case) -> str | None:
    arm = case.evidence.runs.get("other_positions")
    steps = case.sweep()
    if arm is None or case.evidence.model.position_encoding not in _LOOKED_UP or not varies(steps) or period(steps):
        return None
    if (arm.error or "").endswith(_NOT_TAKEN):
        return "forward() takes no position_ids"
    rows = [row for row in case.comparisons["other_positions"].rows if row.num_pad_tokens]
    unread = case.ran("other_positions") and all(row.verdict is Verdict.IDENTICAL for row in rows)
    return "position_ids are not read: backwards they change nothing" if unread else None
