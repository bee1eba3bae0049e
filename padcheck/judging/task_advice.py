"""What to do with a model in a task such as classifying: one line to paste, based only on what was measured."""

from typing import Literal

from padcheck.core.facts import PaddingSide
from padcheck.core.verdicts import Advice
from padcheck.judging.case import Case
from padcheck.judging.task_case import TaskCase

_POSITIONS = "position_ids=(inputs.attention_mask.cumsum(-1) - 1).clamp(min=0)"


def advise_for_task(task: TaskCase, case: Case) -> tuple[Advice, ...]:
    """One line for the task; empty if there is no verdict."""
    if not task.measured():
        return ()
    for side in task.sides:
        for run, positions in ((side, False), (f"{side}_pad_id", False), (f"{side}_positions", True)):
            if task.right(run) and (run != side or task.right_on(side)):
                return (_advice(task, case, side, positions=positions, set_pad_id=run.endswith("_pad_id")),)
    texts = 'for text in texts: model(**tokenizer(text, return_tensors="pt"))  # no padded batch is right'
    return (Advice(task=_name(task), padding_side=None, position_ids=False, attention_mask=False, line=texts),)


def _advice(task: TaskCase, case: Case, side: PaddingSide, *, positions: bool, set_pad_id: bool) -> Advice:
    tokenizer = case.evidence.tokenizer
    line = _call(task, side, positions=positions)
    if set_pad_id:
        line = f"model.config.pad_token_id = tokenizer.pad_token_id; {line}"
    if tokenizer.pad_token is None:
        line = f"tokenizer.pad_token = {tokenizer.pad_token_used!r}; {line}"
    return Advice(
        task=_name(task),
        padding_side=side,
        position_ids=positions,
        attention_mask=not task.right(f"{side}_no_mask"),
        line=line,
    )


def _call(task: TaskCase, side: PaddingSide, *, positions: bool) -> str:
    batch = f'tokenizer(texts, padding=True, padding_side="{side}", return_tensors="pt")'
    if task.evidence.pooling:
        return f'SentenceTransformer(..., tokenizer_kwargs={{"padding_side": "{side}"}}).encode(texts)'
    given = f", {_POSITIONS}" if positions else ""
    if task.evidence.name == "score":  # of an encoder-decoder model; others have runs that say more
        given += ", labels=labels"
    if task.evidence.name == "embed":
        last = "[:, -1]" if side == "left" else "[range(len(texts)), inputs.attention_mask.sum(1) - 1]"
        return f"inputs = {batch}; last_tokens = model(**inputs{given}).last_hidden_state{last}"
    return f"inputs = {batch}; model(**inputs{given}).logits" if positions else f"model(**{batch}{given}).logits"


def _name(task: TaskCase) -> Literal["scoring", "classifying", "embedding"]:
    names: dict[str, Literal["scoring", "embedding"]] = {"score": "scoring", "embed": "embedding"}
    return names.get(task.evidence.name, "classifying")
