"""The geometry of the page: aligned columns, masks, and curves on a log axis."""

import pytest
from builders import difference, flip, gave, report, row, unpadded_difference

from padcheck.reporters.html.alignment import lines, widths
from padcheck.reporters.html.chart import LogAxis, chart
from padcheck.reporters.html.heat_map import heat_map


def cells(row, widths):
    return {line.label: [(cell.text, cell.kind) for cell in line.cells] for line in lines(row, widths)}


def test_real_tokens_stand_in_the_same_columns_of_every_run():
    rows = [
        row(1, prompt=(10,), num_pads=number, side=side) for number, side in ((0, "left"), (2, "left"), (2, "right"))
    ]
    found = widths(rows)
    assert found == (1, 1, 1, 2)
    alone, left, right = (cells(each, found)["token"] for each in rows)
    new = [("␣t20", "new"), ("␣t21", "new")]
    pads = [("⟨pad⟩×2", "pad")]
    assert alone == [("", "none"), ("␣t10", ""), ("", "none"), *new]
    assert left == [*pads, ("␣t10", ""), ("", "none"), *new]
    assert right == [("", "none"), ("␣t10", ""), *pads, *new]


def test_a_position_that_differs_from_the_mask_is_marked():
    shifted = row(position_ids=(0, 1, 2, 9, None))
    found = cells(shifted, widths([shifted]))
    assert found["position_ids"] == [("0", ""), ("1", ""), ("2", ""), ("9!", "unlike"), ("-", "new")]
    assert [text for text, _ in found["from the mask"]] == ["0", "1", "2", "3", "4"]
    assert "from the mask" not in cells(row(), widths([row()]))


def test_used_positions_are_shown_if_they_differ_from_received_ones():
    used = {"positions_used": (0, 1, 2, 9, None), "positions_used_by": "table"}
    received, nothing = row(**used), row(**used, position_ids=(None,) * 5)
    for shown, labels in ((received, ["position_ids", "positions used"]), (nothing, ["positions used"])):
        found = {
            line.label: [(cell.text, cell.kind) for cell in line.cells]
            for line in lines(shown, widths([shown]), offset=0)
        }
        assert list(found) == ["token", "attention_mask", *labels, "from the mask"]
        assert found["positions used"] == [("0", ""), ("1", ""), ("2", ""), ("9!", "unlike"), ("-", "new")]
    agrees = row(positions_used=(2, 3, 4, 5, None), positions_used_by="table")
    assert [line.label for line in lines(agrees, widths([agrees]), offset=2)][2:] == ["position_ids"]


def test_a_pad_in_the_middle_stays_there():
    odd = row(attention_mask=(1, 0, 1, 1, 1))
    assert widths([odd]) == (0, 3, 0, 2)
    assert [kind for _, kind in cells(odd, widths([odd]))["attention_mask"]] == ["", "pad", "", "new", "new"]


def test_neighbours_of_a_kind_are_one_rectangle():
    drawn = heat_map((row(0), row(1, prompt=(10,), num_pads=2)), {1})
    assert (drawn.num_rows, drawn.num_slots, drawn.num_pads) == (2, 5, 2)
    assert drawn.cells["pad"] == "M30 14h28v14h-28z"
    assert drawn.cells["prompt"] == "M30 0h42v14h-42zM58 14h14v14h-14z"
    assert [mark.text for mark in drawn.marks] == ["1"]


def test_the_mask_of_hundreds_of_prompts_is_small():
    drawn = heat_map(tuple(row(index) for index in range(512)), set())
    assert drawn.height < 2100
    assert drawn.rules == ""
    assert len([label for label in drawn.labels if label.x < 30]) < 200


def test_decades_are_evenly_spaced_and_zero_and_nan_have_lanes():
    axis = LogAxis([0.0, None, 1e-6, 1e-3], [])
    ticks = {tick.text: tick.place for tick in axis.ticks()}
    assert list(ticks) == ["0", "10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "NaN"]
    assert ticks["0"] > ticks["10⁻⁶"] > ticks["10⁻⁵"] > ticks["10⁻³"] > ticks["NaN"]
    assert ticks["10⁻⁶"] - ticks["10⁻⁵"] == pytest.approx(ticks["10⁻⁴"] - ticks["10⁻³"], abs=0.2)
    assert axis.place(10**-4.5) == pytest.approx((ticks["10⁻⁴"] + ticks["10⁻⁵"]) / 2, abs=0.2)


@pytest.mark.parametrize("values", [[0.0], [None], [1.0], [1e-300, 1e300], []])
def test_any_values_have_an_axis(values):
    axis = LogAxis(values, [])
    assert 1 <= len([tick for tick in axis.ticks() if tick.text not in ("0", "NaN")]) <= 10
    for value in values:
        assert axis.place(value) == pytest.approx(axis.place(value))
        assert 14 <= axis.place(value) <= 240


def test_prompts_with_the_same_differences_share_a_curve_and_changed_ones_lie_on_top():
    built = report(
        **gave(left=(unpadded_difference(0.0), difference(0.5, flip=flip(0)), difference(0.0, prompt_index=2)))
    )
    drawn = chart(built.evidence.differences["left"], built.comparisons["left"], 0.0)
    assert [(curve.prompts, curve.changed) for curve in drawn.curves] == [((0, 2), False), ((1,), True)]
    assert [mark.kind for curve in drawn.curves for mark in curve.marks] == ["zero", "flip"]
