"""What this transformers does where its versions differ, read off a run."""

import builders
import pytest
from packaging.version import Version

from padcheck.core.facts import SpecialTokenIds
from padcheck.judging.library_behaviour import library_behaviour


def seen(**changes):
    return library_behaviour(builders.evidence(**changes))


def right_padded(*positions):
    """A prompt of three tokens followed by two pads and two new tokens; the last one never entered forward()."""
    return builders.row(
        num_pad_tokens=2,
        input_ids=(5, 6, 7, 0, 0, 8, 9),
        attention_mask=(1, 1, 1, 0, 0, 1, 1),
        position_ids=(0, 1, 2, 0, 0, *positions),
        position_ids_from_mask=(0, 1, 2, 1, 1, 3, 4),
        generated_ids=(8, 9),
    )


@pytest.mark.parametrize(
    ("position", "says"), [(1, "last column"), (3, "mask"), (None, None)], ids=["from 5", "before 5", "not passed"]
)
def test_where_the_new_tokens_of_a_right_padded_row_are_counted_from(position, says):
    changed = builders.runs(right=builders.run_result("right", rows=(right_padded(position, None),)))
    assert seen(runs=changed).get("new_position_ids") == says


def after_one_pad(num_real, pad, *positions):
    """A prompt of `num_real` tokens followed by a pad at position `pad`, and two new tokens at these positions."""
    ids = (5,) * num_real
    return builders.row(
        num_pad_tokens=1,
        input_ids=(*ids, 0, 8, 9),
        attention_mask=(*(1,) * num_real, 0, 1, 1),
        position_ids=(*range(num_real), pad, *positions),
        position_ids_from_mask=(*range(num_real), 1, num_real, num_real + 1),
        generated_ids=(8, 9),
    )


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([after_one_pad(1, 0, 1, None)], None),
        ([after_one_pad(2, 1, 2, None)], None),
        ([after_one_pad(1, 0, 1, None), after_one_pad(3, 0, 1, 2)], "last column"),
        ([after_one_pad(1, 0, 1, None), after_one_pad(3, 1, 3, 4)], "mask"),
        ([after_one_pad(3, 0, 7, 8)], None),
    ],
    ids=["one token", "two tokens and pads at 1", "a longer prompt decides", "by the mask", "neither"],
)
def test_a_row_in_which_both_ways_of_counting_agree_decides_nothing(rows, says):
    changed = builders.runs(right=builders.run_result("right", rows=tuple(rows)))
    assert seen(runs=changed).get("new_position_ids") == says


def left_padded(pad):
    return builders.row(
        num_pad_tokens=2,
        input_ids=(0, 0, 5, 6, 8),
        attention_mask=(0, 0, 1, 1, 1),
        position_ids=(pad, pad, 0, 1, None),
        position_ids_from_mask=(1, 1, 0, 1, 2),
        generated_ids=(8,),
    )


@pytest.mark.parametrize(("pad", "says"), [(0, "0"), (1, "1"), (None, None)])
def test_which_position_pads_get(pad, says):
    changed = builders.runs(left=builders.run_result("left", rows=(left_padded(pad),)))
    assert seen(runs=changed).get("pad_position_ids") == says


def test_whether_right_padding_is_warned_of():
    warned = builders.run_result(
        "right",
        rows=(right_padded(1, None),),
        warnings=("A decoder-only architecture is being used, but right-padding was detected! ...",),
    )
    assert seen(runs=builders.runs(right=warned))["warns_of_right_padding"] == "yes"
    silent = builders.run_result("right", rows=(right_padded(1, None),))
    assert seen(runs=builders.runs(right=silent))["warns_of_right_padding"] == "no"


def without_mask(*warnings, **generation_config):
    changed = builders.runs(left_no_mask=builders.run_result("left", rows=(left_padded(0),), warnings=warnings))
    ids = SpecialTokenIds(
        tokenizer=builders.token_ids(),
        config=builders.token_ids(),
        generation_config=builders.token_ids(**generation_config),
    )
    return seen(runs=changed, special_token_ids=ids).get("warns_of_missing_mask")


def test_whether_a_missing_mask_is_warned_of():
    warning = "The attention mask is not set with a batched input, and cannot be inferred from input because ..."
    assert without_mask(warning, pad=2, eos=(2,)) == "yes"
    assert without_mask(pad=2, eos=(2,)) == "no"
    assert without_mask(pad=None, eos=(2,)) == "no"


def test_a_warning_that_nothing_called_for_is_not_mentioned():
    assert without_mask(pad=0, eos=(2,)) is None  # generate() infers the mask
    assert without_mask(pad=None, eos=None) is None


def test_an_inspected_tokenizer_shows_nothing():
    assert seen(runs={}, differences={}) == {}


def test_the_installed_version_does_what_its_number_says(padcheck):
    report = padcheck("compare", "demo", "--format", "json").report
    newer = Version(report["environment"]["transformers"]) >= Version("5")
    assert report["library_behaviour"] == {
        "pad_position_ids": "0" if newer else "1",
        "new_position_ids": "last column" if newer else "mask",
        "warns_of_right_padding": "yes",
        "warns_of_missing_mask": "yes",
    }
