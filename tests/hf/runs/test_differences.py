"""The comparison of two rows' logits."""

import math

import pytest
import torch

from padcheck.core.padding import pad_ids
from padcheck.hf.calls.logits import LogitsLog
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.runs.differences import compare_logits, compare_rows

INF, NAN = float("inf"), float("nan")


def trace(logits, generated_ids=None, pads=0):
    ids = tuple(torch.tensor(logits).nan_to_num().argmax(dim=-1).tolist()) if generated_ids is None else generated_ids
    return RowTrace(pad_ids((1, 2), 2 + pads, 0, "left"), ids, (None,) * (2 + pads + len(ids)), logged(logits))


def logged(logits):
    log = LogitsLog(1)
    log.add(torch.tensor(logits))
    return log.row(0, len(logits))


def compare(reference, logits):
    return compare_logits(logged(reference), logged(logits))


def difference(reference, row):
    return compare_rows(trace(reference), trace(row, pads=3), prompt_index=4, token_text=str)


def test_equal_logits_have_no_difference():
    measured = difference([[1.0, 2.0]], [[1.0, 2.0]])
    assert (measured.prompt_index, measured.num_pad_tokens, measured.flip) == (4, 3, None)
    assert (measured.steps[0].max_abs_diff, measured.steps[0].kl, measured.steps[0].logit_scale) == (0.0, 0.0, 2.0)


def test_each_step_has_its_largest_difference_its_kl_and_its_scale():
    first, second = difference([[0.0, 1.0], [0.0, -8.0]], [[0.0, 1.5], [0.0, -8.0]]).steps
    assert first.max_abs_diff == 0.5
    p, q = torch.tensor([0.0, 1.0]).softmax(0), torch.tensor([0.0, 1.5]).softmax(0)
    assert math.isclose(first.kl, (p * (p / q).log()).sum().item(), rel_tol=1e-4)
    assert (second.max_abs_diff, second.logit_scale) == (0.0, 8.0)


def test_nothing_after_the_first_different_token_is_compared():
    measured = difference([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.5], [99.0, 0.0]])
    assert len(measured.steps) == 2
    assert measured.flip.step == 1
    assert (measured.flip.reference_token, measured.flip.token) == ("1", "0")
    assert (measured.flip.reference_margin, measured.flip.margin) == (1.0, 0.5)


def test_a_vocabulary_entry_that_both_mask_counts_as_equal():
    (step,) = compare([[1.0, -INF]], [[1.0, -INF]])
    assert (step.max_abs_diff, step.kl, step.non_finite, step.logit_scale) == (0.0, 0.0, 0, 1.0)


@pytest.mark.parametrize("mask", [-1e4, -1e9, torch.finfo(torch.float32).min])
def test_a_number_in_place_of_minus_infinity_does_not_widen_the_allowance(mask):
    (step,) = compare([[1.0, 3.0, mask]], [[1.0, 2.5, mask * 1.0001]])
    assert (step.max_abs_diff, step.logit_scale, step.non_finite) == (0.5, 3.0, 0)


def test_an_entry_that_only_one_side_masks_is_a_difference():
    (step,) = compare([[1.0, 3.0]], [[1.0, -1e9]])
    assert step.max_abs_diff > 1e8


def test_an_infinity_or_nan_on_one_side_is_counted_and_has_no_distance():
    for broken in (NAN, INF, -INF):
        (step,) = compare([[1.0, 2.0]], [[1.0, broken]])
        assert (step.max_abs_diff, step.kl, step.non_finite) == (None, None, 1)


def test_nan_on_both_sides_is_not_called_equal():
    (step,) = compare([[NAN, 2.0]], [[NAN, 2.0]])
    assert step.non_finite == 1


def test_margins_that_are_not_finite_are_left_out():
    flip = compare_rows(trace([[0.0, 1.0]], (1,)), trace([[NAN, 1.0]], (0,)), prompt_index=0, token_text=str).flip
    assert flip.margin is None
    assert flip.reference_margin == 1.0


def test_a_difference_beyond_the_largest_float32_number_is_a_number():
    (step,) = compare([[3.4e38, 0.0]], [[-3.4e38, 0.0]])
    assert math.isclose(step.max_abs_diff, 6.8e38, rel_tol=1e-6)
    assert (step.non_finite, math.isfinite(step.kl)) == (0, True)


def test_the_kl_of_masked_entries_is_a_number_or_unknown():
    (step,) = compare([[-2e4, -3e4]], [[-2e4, -INF]])
    assert (step.max_abs_diff, step.non_finite) == (0.0, 0)
    assert step.kl is None or math.isfinite(step.kl)
    (step,) = compare([[-2e4, -2e4]], [[-2e4, -INF]])
    assert (step.max_abs_diff, step.kl) == (0.0, None)
