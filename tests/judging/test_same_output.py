"""What a program says with wider batches is compared within rounding, and without what changes from run to run."""

import pytest

from padcheck.core.recording import Recording, Said
from padcheck.judging.same_output import compare


def recording(*lines, **results):
    said = [Said(label=f"stdout line {number}", text=line) for number, line in enumerate(lines, 1)]
    said += [Said(label=f"result {name}", text=text) for name, text in results.items()]
    return Recording(exit_code=0, said=tuple(said), widened=1)


def differences(plain, wide, again=None, *, columns=3, dtype="float32"):
    plain, again, wide = (
        each if isinstance(each, Recording) else recording(each) for each in (plain, again or plain, wide)
    )
    return [
        (each.said.label, each.column, each.plain, each.widened)
        for each in compare(plain, again, [wide], columns, dtype).differences
    ]


@pytest.mark.parametrize(
    ("plain", "wide"),
    [
        ("loss 0.12345678", "loss 0.12345671"),
        ("loss 0.1234", "loss 0.1235"),  # the last digit that is printed
        ("scores [-100.00012, 3.0]", "scores [-100.00071, 3.0003]"),  # rounding grows with the largest number
        ("shape torch.Size([2, 5])", "shape torch.Size([2, 8])"),  # the width itself
        ("[[9, 9, 1], [1, 2, 3]]", "[[9, 9, 9, 9, 9, 1], [9, 9, 9, 1, 2, 3]]"),  # the batch itself
        ("['<pad>one', 'two three']", "['<pad><pad><pad><pad>one', '<pad><pad><pad>two three']"),
        ("nan", "nan"),
    ],
)
def test_the_same_within_rounding_and_further_pads_are_no_difference(plain, wide):
    assert differences(plain, wide) == []


@pytest.mark.parametrize(
    ("plain", "wide", "column", "shown"),
    [
        ("loss 0.1234", "loss 0.1244", 6, ("0.1234", "0.1244")),
        ("label 433", "label 398", 7, ("433", "398")),
        ("yes it is", "no it is", 1, ("yes", "no")),
        ("loss 0.5", "loss nan", 6, ("0.5", "nan")),
        ("one two", "one two three four", 8, ("", "three four")),
        ("[1, 2]", "[1, 7, 8, 9, 2]", 5, ("2]", "7, 8, 9, 2]")),
        ("found 5", "found 7", 7, ("5", "7")),
    ],
)
def test_other_values_are_differences_at_their_column(plain, wide, column, shown):
    assert differences(plain, wide) == [("stdout line 1", column, *shown)]


def test_a_dtype_decides_what_rounding_is():
    assert differences("logit 20.10", "logit 20.60", dtype="bfloat16") == []
    assert differences("logit 20.10", "logit 20.60", dtype="float32")


def test_what_differs_from_run_to_run_is_not_compared():
    assert differences("took 1.25 s, label 3", "took 9.75 s, label 3", again="took 1.5 s, label 3") == []
    assert differences("took 1.25 s, label 3", "took 9.75 s, label 4", again="took 1.5 s, label 3")
    assert differences("one two", "three", again="one two four") == []
    found = compare(recording("took 1.25 s"), recording("took 1.5 s"), [recording("took 3.5 s")], 3, "float32")
    assert (found.values, found.unsteady) == (2, 1)


def test_missing_and_further_lines_and_results_are_differences():
    assert differences(recording("one", "two"), "one") == [("stdout line 2", 1, "two", "")]
    assert differences("one", recording("one", "two")) == [("stdout line 2", 1, "", "two")]
    assert differences(recording("one", score="0.5"), recording("one", score="0.7")) == [
        ("result score", 1, "0.5", "0.7")
    ]


def test_a_difference_must_repeat():
    plain, wide = recording("label 3"), [recording("label 4"), recording("label 9")]
    assert compare(plain, plain, wide, 3, "float32").differences == ()
    assert compare(plain, plain, wide[:1] * 2, 3, "float32").differences
