"""Compares the logits of two rows: how far apart they are at each step, and where the tokens begin to differ."""

from collections.abc import Callable, Iterator
from math import inf, isfinite

import torch

from padcheck.core.evidence import PrecisionStep
from padcheck.core.run_results import RowDifference, StepDifference, TokenFlip
from padcheck.hf.calls.logits import Logits
from padcheck.hf.calls.trace import RowTrace

_MASKED = -1e4
"""Models mask vocabulary entries with -1e4, -1e9, or the smallest number of their dtype; real logits stay far above."""


def compare_rows(
    reference: RowTrace, row: RowTrace, *, prompt_index: int, token_text: Callable[[int], str]
) -> RowDifference:
    """One row of a run against its reference, up to and including the first different token."""
    flip_step, num_steps = _first_flip(reference, row)
    return RowDifference(
        prompt_index=prompt_index,
        num_pad_tokens=row.padded.attention_mask.count(0),
        steps=compare_logits(reference.logits.first(num_steps), row.logits.first(num_steps)),
        flip=None if flip_step is None else _flip(reference, row, flip_step, token_text),
    )


def compare_logits(reference: Logits, logits: Logits) -> tuple[StepDifference, ...]:
    """The difference at each step.

    An entry that both sides mask (minus infinity, or a number such as -1e9) counts as equal. It does not enter the
    scale either, since the tolerance grows with the scale, and one such entry would allow any difference.
    """
    blocks = zip(reference.blocks(), logits.blocks(), strict=True)
    return tuple(step for expected, actual in blocks for step in _compare_block(expected, actual))


def shared_steps(row: RowTrace, other: RowTrace) -> tuple[Logits, Logits]:
    """The logits of the steps at which both have the same tokens before them."""
    _, number = _first_flip(row, other)
    return row.logits.first(number), other.logits.first(number)


def _first_flip(row: RowTrace, other: RowTrace) -> tuple[int | None, int]:
    """The first step at which they choose different tokens, and how many steps have the same tokens before them."""
    tokens = list(zip(row.generated_ids, other.generated_ids, strict=False))
    flip = next((step for step, (token_id, another) in enumerate(tokens) if token_id != another), None)
    return flip, len(tokens) if flip is None else flip + 1


def furthest(row: RowTrace, other: RowTrace) -> float:
    """The largest difference of the logits after the same tokens; infinite if one side has NaN."""
    steps = compare_logits(*shared_steps(row, other))
    return max(inf if step.max_abs_diff is None else step.max_abs_diff for step in steps)


def precision_steps(index: int, left: RowTrace, alone: RowTrace, in_float32: RowTrace) -> Iterator[PrecisionStep]:
    """The distances of a padded row and of the same prompt alone, both in 16 bit, from float32, step by step."""
    num_pads = left.padded.attention_mask.count(0)
    if not num_pads:
        return
    pairs = zip(_distances(*shared_steps(left, in_float32)), _distances(*shared_steps(alone, in_float32)), strict=False)
    for step, (of_left, of_alone) in enumerate(pairs):
        if isfinite(of_left) and isfinite(of_alone):
            yield PrecisionStep(prompt_index=index, num_pad_tokens=num_pads, step=step, left=of_left, alone=of_alone)


def _distances(logits: Logits, reference: Logits) -> list[float]:
    """The standard deviation of the differences over the vocabulary, step by step, without entries that both mask."""
    found: list[float] = []
    for expected, actual in zip(reference.blocks(), logits.blocks(), strict=True):  # (steps, vocab_size)
        masked = (expected <= _MASKED) & (actual <= _MASKED)
        far = (actual - expected).masked_fill_(masked, 0.0)
        number = (~masked).sum(dim=-1).clamp_min(1)  # (steps,)
        mean = far.sum(dim=-1) / number
        found += (far.square().sum(dim=-1) / number - mean.square()).clamp_min(0.0).sqrt().tolist()
    return found


def _compare_block(reference: torch.Tensor, logits: torch.Tensor) -> Iterator[StepDifference]:
    """Both are (steps, vocab_size), float32."""
    usual = _is_usual(reference) and _is_usual(logits)
    if not usual:
        reference, logits = (
            reference.double(),
            logits.double(),
        )  # in float32 the difference of two numbers may be infinite
    far, size = (logits - reference).abs_(), reference.abs()  # (steps, vocab_size)
    log_p, log_q = reference.log_softmax(dim=-1), logits.log_softmax(dim=-1)  # (steps, vocab_size)
    p = log_p.exp()
    kl = log_p.sub_(log_q).mul_(p)  # (steps, vocab_size)
    num_broken = torch.zeros(len(reference), dtype=torch.int64)  # (steps,)
    if not usual:
        masked = (reference <= _MASKED) & (logits <= _MASKED)  # (steps, vocab_size)
        same = (reference == logits) | masked  # (steps, vocab_size)
        num_broken = (~same & ~(reference.isfinite() & logits.isfinite())).sum(dim=-1)
        far.masked_fill_(same, 0.0)
        size.masked_fill_(~reference.isfinite() | (reference <= _MASKED), 0.0)
        # An entry of probability 0 adds nothing, even if its logarithm is -inf on both sides.
        kl.masked_fill_(p == 0, 0.0)
    of_steps = (far.amax(dim=-1), kl.sum(dim=-1).clamp_min_(0.0), size.amax(dim=-1), num_broken)  # (steps,) each
    for step_far, step_kl, step_size, step_broken in zip(*(each.tolist() for each in of_steps), strict=True):
        yield StepDifference(
            max_abs_diff=None if step_broken else step_far,
            kl=None if step_broken else _finite(step_kl),
            logit_scale=step_size,
            non_finite=step_broken,
        )


def _is_usual(logits: torch.Tensor) -> bool:
    """True if no entry is masked, infinite or NaN. This is the common case, and one pass over the logits decides it."""
    least, largest = logits.aminmax()
    return least.item() > _MASKED and largest.item() < float("inf")


def _flip(reference: RowTrace, row: RowTrace, step: int, token_text: Callable[[int], str]) -> TokenFlip:
    expected, actual = reference.generated_ids[step], row.generated_ids[step]
    alone, other = reference.logits.at(step), row.logits.at(step)
    reference_margin = (alone[expected] - alone[actual]).item()
    margin = (other[actual] - other[expected]).item()
    return TokenFlip(
        step=step,
        reference_token_id=expected,
        reference_token=token_text(expected),
        token_id=actual,
        token=token_text(actual),
        reference_margin=_finite(reference_margin),
        margin=_finite(margin),
    )


def _finite(value: float) -> float | None:
    # Comparisons with NaN are false, so this also drops it.
    return value if abs(value) < float("inf") else None
