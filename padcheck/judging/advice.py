"""What to do with a model, task by task: a line to paste for each, and nothing in it that was not measured."""

from padcheck.core.facts import PaddingSide
from padcheck.core.report import Advice
from padcheck.core.run_plans import SINGLE
from padcheck.judging.rules import Case

_SCORING: tuple[tuple[str, PaddingSide, str, bool], ...] = (
    ("right_forward", "right", "right_forward_no_mask", False),
    ("left_forward", "left", "left_forward_no_mask", False),
    ("left_forward_positions", "left", "left_forward_no_mask", True),
)
"""The ways to score a padded batch, the simplest first: arm, side, the arm without a mask, position_ids passed. A way
is none where float32 shows that 16 bit hides a fault on its side."""


def advise(case: Case) -> tuple[Advice, ...]:
    """Three lines: for generating, scoring and training.

    None where the prompts alone did not run, nothing was padded, or a fault would not have shown.
    """
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
    """The line, after giving the tokenizer the pad token of this run where it has none: else padding=True raises."""
    tokenizer = case.evidence.tokenizer
    return line if tokenizer.pad_token is not None else f"tokenizer.pad_token = {tokenizer.pad_token_used!r}; {line}"


def _how_to_generate(case: Case) -> tuple[PaddingSide | None, str, bool]:
    """Side, line, and whether the mask is needed; 16 bit that hides what float32 shows is no way."""
    hidden = bool(case.wrong("left_float32"))
    if case.right("left") and not hidden:
        needed = not case.right("left_no_mask")
        return "left", f"model.generate(**{_batch('left')}){'' if needed else _NO_MASK_NEEDED}", needed
    if case.right("right") and not hidden:
        return "right", f"model.generate(**{_batch('right')})", True
    if (attention := case.right_with_attention()) is not None:
        return "left", f'model.set_attn_implementation("{attention}"); model.generate(**{_batch("left")})', True
    if case.right("uncached") and case.right("left_uncached") and not hidden:
        return "left", f"model.generate(**{_batch('left')}, use_cache=False)", True
    return None, 'for text in texts: model.generate(**tokenizer(text, return_tensors="pt"))' + _NONE_RIGHT, False


def _scoring(case: Case) -> Advice:
    for arm, side, without_mask, position_ids in _SCORING:
        if case.right(arm):
            needed = not case.right(without_mask)
            line = (
                f"inputs = {_batch(side)}; model(**inputs, {_POSITIONS})"
                if position_ids
                else f"model(**{_batch(side)})"
            )
            return Advice(
                task="scoring",
                padding_side=side,
                position_ids=position_ids,
                attention_mask=needed,
                line=_with_pad_token(case, line),
            )
    line = 'for text in texts: model(**tokenizer(text, return_tensors="pt"))' + _NONE_RIGHT
    return Advice(task="scoring", padding_side=None, position_ids=False, attention_mask=False, line=line)


def _training(scoring: Advice) -> Advice:
    """Scoring's side, and labels from the mask: made from ids, they would lose every eos that serves as pad too."""
    if scoring.padding_side is None:
        line = "# batches of texts of equal length: no padded batch is right"
    else:
        line = "labels = inputs.input_ids.masked_fill(inputs.attention_mask == 0, -100)  # inputs as for scoring"
    return Advice(
        task="training",
        padding_side=scoring.padding_side,
        position_ids=scoring.position_ids,
        attention_mask=scoring.attention_mask,
        line=line,
    )


_NONE_RIGHT = "  # no padded batch is right"
_NO_MASK_NEEDED = "  # also without attention_mask"
_POSITIONS = "position_ids=(inputs.attention_mask.cumsum(-1) - 1).clamp(min=0)"


def _batch(side: PaddingSide) -> str:
    return f'tokenizer(texts, padding=True, padding_side="{side}", return_tensors="pt")'
