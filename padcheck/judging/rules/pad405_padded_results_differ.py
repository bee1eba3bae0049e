"""PAD405: A padded batch gives a task other results than the texts alone."""

from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.task_plans import IN_FLOAT32
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import EQUAL_LENGTH
from padcheck.judging.task_case import TaskCase
from padcheck.judging.task_rule import TaskRule, severity_on


class PaddedResultsDiffer(TaskRule):
    """A padded batch gives a task other results than the texts alone.

    Why it matters:
        What a text gets depends on the texts next to it: a classifier predicts another class, and a reward changes with
        the batch. Nothing warns about it.

    How padcheck knows:
        The same texts run alone, left-padded and right-padded, each batch with its attention_mask. A padded row differs
        from the same text alone by more than random rounding errors explain. A 16-bit model also runs in float32. It is
        an error on the side that the caller pads on: the one of --padding-side, otherwise the tokenizer's.

    Fix:
        Pad on the side that was measured to be right. If neither is, run texts of equal length together.

    References:
        huggingface/trl#422, RLHFlow/RLHF-Reward-Modeling#49, huggingface/transformers#30447
    """

    code = "PAD405"
    name = "padded-results-differ"
    severity = Severity.ERROR
    suppressed_by = ("PAD206", "PAD402", "PAD404", "PAD409")
    tasks = ("score", "train", "classify", "embed")

    def about(self, task: TaskCase, case: Case) -> Finding | None:
        """Fires if a padded row is different on a side that counts."""
        sides = [side for side in task.sides if case.use.pads(side) and _counts(task, side)]
        if not sides:
            return None
        side = sides[0]
        run, rows = task.wrong_on(side)
        furthest = worst(rows)
        in_float32 = f", which rounding hides in {case.evidence.model.dtype}" if run.endswith(IN_FLOAT32) else ""
        total = len(task.comparisons[run].rows)
        return self.found(
            f"{side.capitalize()} padding changes the {task.evidence.numbers} of {len(rows)} of {total} texts"
            f"{in_float32}: {how_far(furthest, f'text {furthest.prompt_index}')}.{_flips(task, run)}"
            + (f" {sides[1].capitalize()} padding changes them too." if len(sides) > 1 else ""),
            severity=severity_on(task, *sides),
            fix=_fix(task, side),
            place=case.task_place(side),
            sides=sides,
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )


def _counts(task: TaskCase, side: PaddingSide) -> bool:
    """True if this side is wrong. Without a head, a batch that only lacks position_ids is covered by PAD401."""
    only_positions = task.evidence.name in ("score", "train") and side == "left" and task.right("left_positions")
    return task.harmed(side) and not only_positions


def _flips(task: TaskCase, run: str) -> str:
    """The texts whose outcome changes."""
    alone = {row.prompt_index: row.outcome for row in task.evidence.runs[_reference(task, run)].rows}
    wrong = {row.prompt_index for row in task.wrong(run)}
    flipped = [
        f"text {row.prompt_index} from {alone[row.prompt_index]} to {row.outcome}"
        for row in task.evidence.runs[run].rows
        if row.prompt_index in wrong and row.outcome != alone.get(row.prompt_index, row.outcome)
    ]
    return f" The outcome changes for {', '.join(flipped)}." if flipped else ""


def _reference(task: TaskCase, run: str) -> str:
    return task.comparisons[run].reference


def _fix(task: TaskCase, side: PaddingSide) -> str:
    other: PaddingSide = "right" if side == "left" else "left"
    if task.right_on(other):
        return f'tokenizer.padding_side = "{other}"  # before the texts are tokenized'
    if side == "left" and task.right("left_positions"):
        return "position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)"
    return f"# {EQUAL_LENGTH}"
