"""What to do with a model: one line to paste for generating, scoring and training, based only on what was measured."""

from typing import NamedTuple

from padcheck.core.facts import PaddingSide
from padcheck.core.run_plans import SINGLE, RunName
from padcheck.core.verdicts import Advice
from padcheck.judging.case import Case
from padcheck.judging.task_advice import advise_for_task


class _Scoring(NamedTuple):
    """A way to score a padded batch.

    Attributes:
        run: Did it like this. Of a 16-bit model that is a run in float32, so a fault that 16 bit hides rules it out.
        side: Where the pads are.
        without_mask: The run that left the mask out.
        position_ids: True if they are passed.
    """

    run: RunName
    side: PaddingSide
    without_mask: RunName
    position_ids: bool = False


_WAYS_TO_SCORE = (
    _Scoring("right_forward", "right", "right_forward_no_mask"),
    _Scoring("left_forward", "left", "left_forward_no_mask"),
    _Scoring("left_forward_positions", "left", "left_forward_no_mask", position_ids=True),
)
"""The simplest first."""

_NONE_RIGHT = "  # no padded batch is right"
_NO_MASK_NEEDED = "  # also without attention_mask"
_POSITIONS = "position_ids = (inputs.attention_mask.cumsum(-1) - 1).clamp(min=0)"


def advise(case: Case) -> tuple[Advice, ...]:
    """One line each for generating, scoring and training.

    If only a task was measured, one line for the task. Empty if the prompts alone did not run, nothing was padded, or a
    fault would not have shown.
    """
    if case.task is not None and not case.evidence.runs:
        return advise_for_task(case.task, case)
    rows = [row for comparison in case.comparisons.values() for row in comparison.rows]
    if SINGLE not in case.evidence.runs or not any(row.num_pad_tokens for row in rows):
        return ()
    if case.control_was_seen() is False and not case.harmed():
        return ()
    scoring = _scoring(case)
    return (_generating(case), scoring, _training(scoring))


def _generating(case: Case) -> Advice:
    side, line, needed = _how_to_generate(case)
    return Advice(
        task="generating",
        padding_side=side,
        position_ids=False,
        attention_mask=needed,
        line=_with_pad_token(case, line) if side else line,
    )


def _with_pad_token(case: Case, line: str) -> str:
    """The line, preceded by setting the pad token of this run if the tokenizer has none: padding=True would raise."""
    tokenizer = case.evidence.tokenizer
    return line if tokenizer.pad_token is not None else f"tokenizer.pad_token = {tokenizer.pad_token_used!r}; {line}"


def _how_to_generate(case: Case) -> tuple[PaddingSide | None, str, bool]:
    """Side, line, and whether the mask is needed. A fault that 16 bit hides and float32 shows rules a side out."""
    hidden = bool(case.wrong("left_float32"))
    if case.right("left") and not hidden:
        needed = not case.right("left_no_mask")
        return "left", f"{_batch('left')}; model.generate(**inputs){'' if needed else _NO_MASK_NEEDED}", needed
    if case.right("right") and not hidden:
        return "right", f"{_batch('right')}; model.generate(**inputs)", True
    if (attention := case.right_with_attention()) is not None:
        line = f'model.set_attn_implementation("{attention}"); {_batch("left")}; model.generate(**inputs)'
        return "left", line, True
    if case.right("uncached") and case.right("left_uncached") and not hidden:
        return "left", f"{_batch('left')}; model.generate(**inputs, use_cache=False)", True
    return None, 'for text in texts: model.generate(**tokenizer(text, return_tensors="pt"))' + _NONE_RIGHT, False


def _scoring(case: Case) -> Advice:
    """On the side that the caller pads on if that is right, otherwise on the other one."""
    ways = sorted(_WAYS_TO_SCORE, key=lambda way: not case.use.pads(way.side))
    way = next((way for way in ways if case.right(way.run)), None)
    if way is None:
        line = 'for text in texts: model(**tokenizer(text, return_tensors="pt"))' + _NONE_RIGHT
        return Advice(task="scoring", padding_side=None, position_ids=False, attention_mask=False, line=line)
    call = f"{_POSITIONS}; model(**inputs, position_ids=position_ids)" if way.position_ids else "model(**inputs)"
    line = f"{_batch(way.side)}; {call}"
    return Advice(
        task="scoring",
        padding_side=way.side,
        position_ids=way.position_ids,
        attention_mask=not case.right(way.without_mask),
        line=_with_pad_token(case, line),
    )


def _training(scoring: Advice) -> Advice:
    """Pads as for scoring. Labels come from the mask: labels made from ids would lose each eos if pad is eos.

    On the left the first token has no label either: only a pad is before it.
    """
    if scoring.padding_side is None:
        line = "# batches of texts of equal length: no padded batch is right"
    else:
        pads = "attention_mask.cumsum(-1) <= 1" if scoring.padding_side == "left" else "attention_mask == 0"
        line = f"labels = inputs.input_ids.masked_fill(inputs.{pads}, -100)  # inputs as for scoring"
    return Advice(
        task="training",
        padding_side=scoring.padding_side,
        position_ids=scoring.position_ids,
        attention_mask=scoring.attention_mask,
        line=line,
    )


def _batch(side: PaddingSide) -> str:
    """Two short statements, so that each fits on a line of a narrow terminal."""
    return f'tokenizer.padding_side = "{side}"; inputs = tokenizer(texts, padding=True, return_tensors="pt")'
