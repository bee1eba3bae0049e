"""What to do with a model in a task such as classifying: one line to paste, based only on what was measured."""

from padcheck.core.facts import PaddingSide
from padcheck.core.report import Advice
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase


def advise_for_task(task: TaskCase, case: Case) -> tuple[Advice, ...]:
    """One line for the task; empty if there is no verdict."""
    if not task.measured():
        return ()
    for side in task.sides:
        for run, positions in ((side, False), (f"{side}_pad_id", False), (f"{side}_positions", True)):
            if task.right(run) and (run != side or task.right_on(side)):
                return (_advice(task, case, side, positions=positions, set_pad_id=run.endswith("_pad_id")),)
    line = 'for text in texts: model(**tokenizer(text, return_tensors="pt"))  # no padded batch is right'
    return (Advice(task="classifying", padding_side=None, position_ids=False, attention_mask=False, line=line),)


def _advice(task: TaskCase, case: Case, side: PaddingSide, *, positions: bool, set_pad_id: bool) -> Advice:
    tokenizer = case.evidence.tokenizer
    batch = f'tokenizer(texts, padding=True, padding_side="{side}", return_tensors="pt")'
    line = f"model(**{batch}).logits"
    if positions:
        line = f"inputs = {batch}; model(**inputs, position_ids=(inputs.attention_mask.cumsum(-1) - 1).clamp(min=0))"
    if set_pad_id:
        line = f"model.config.pad_token_id = tokenizer.pad_token_id; {line}"
    if tokenizer.pad_token is None:
        line = f"tokenizer.pad_token = {tokenizer.pad_token_used!r}; {line}"
    return Advice(
        task="classifying",
        padding_side=side,
        position_ids=positions,
        attention_mask=not task.right(f"{side}_no_mask"),
        line=line,
    )
