"""The table of the probes and the notes below it."""

import pytest
from builders import (
    CONTROLS,
    HOSTILE,
    differences,
    in_half,
    in_modes,
    model_facts,
    probes,
    raised,
    report,
    row,
    run_result,
    runs,
    sweep,
)
from msgspec.structs import replace

from padcheck.core.run_results import RunResult
from padcheck.core.settings import JudgeSettings
from padcheck.reporters.report.wording import probes as probe_wording
from padcheck.reporters.report.wording import rounding, verdicts
from padcheck.reporters.text.visible import made_visible, visible


def test_user_runs_have_verdicts_and_all_other_runs_are_probes() -> None:
    found = report(**probes(uncached=0.0))
    names = {name.split(":")[0] for name, _, _ in probe_wording.rows(found)}
    assert [name for name, _, _ in verdicts.rows(found)] == ["left", "right"]
    assert names == set(found.comparisons) - {"left", "right"}


def test_the_runs_of_a_mode_that_was_asked_for_have_verdicts_too() -> None:
    found = report(**in_modes("no-cache", "assisted"))
    names = {description for description, _, _ in probe_wording.rows(found)}
    of_modes = ["uncached", "left_uncached", "assisted", "left_assisted"]
    assert [name for name, _, _ in verdicts.rows(found)] == ["left", "right", *of_modes]
    assert not names & set(of_modes)
    reasons = {name: reason for name, _, reason in verdicts.rows(found)}
    assert reasons["assisted"].startswith("from single, ")
    assert reasons["left_assisted"].startswith("from assisted, ")
    assert not reasons["left"].startswith("from")


def test_probes_of_a_16_bit_model_say_if_they_did_not_run_in_float32() -> None:
    found = report(**in_half("bfloat16", uncached=0.0, left_float32=1e-6))
    names = {name for name, _, _ in probe_wording.rows(found)}
    probed = set(found.comparisons) - {"left", "right", "replayed"}
    assert probe_wording.title(found) == "Probes, in float32"
    assert names == {f"{name}: {name}" for name in probed} | {"replayed: replayed (in bfloat16)"}
    assert probe_wording.title(report()) == "Probes"


def test_without_float32_the_reason_is_given_and_the_probes_run_in_16_bit() -> None:
    changes = probes(**dict.fromkeys(CONTROLS, 9.0)) | {"model": model_facts(dtype="bfloat16")}
    error = "the model is quantized"
    refused = RunResult(reference="single_float32", dtype="float32", padding_side="left", error=error)
    changes["runs"] |= {"left_float32": refused}
    found = report(**changes)
    assert ("", "no run in float32: the model is quantized") in rounding.rows(found)
    assert probe_wording.title(found) == "Probes"
    assert not [name for name, _, _ in probe_wording.rows(found) if name.endswith("(in bfloat16)")]
    assert found.status == "pass"


def test_a_probe_gives_the_largest_difference_from_its_reference() -> None:
    broken = {"runs": runs(scrambled=raised("left")), "differences": differences(scrambled=(), forward_again=())}
    lines = {name.split(":")[0]: line for name, *line in probe_wording.rows(report(**broken))}
    assert lines["scrambled"] == ["not run", "- from single"]
    assert lines["forward_again"] == ["not run", "- from forward"]
    assert lines["broken_mask"] == ["different (expected)", "0.5 from left_forward"]
    assert lines["batched"] == ["identical", "0 from single"]


def test_a_run_that_is_its_own_reference_was_not_compared() -> None:
    stood_in = tuple(row(index, stand_in="forward()") for index in (0, 1))
    changes = in_half("bfloat16", left_float32=1e-6)
    changes["runs"]["replayed_float32"] = replace(changes["runs"]["replayed_float32"], rows=stood_in)
    changes["differences"]["replayed_float32"] = ()
    lines = {name.split(":")[0]: line for name, *line in probe_wording.rows(report(**changes))}
    assert lines["replayed_float32"] == ["is single_float32", "- from single_float32"]


def test_every_reference_in_the_table_is_a_run_that_the_reader_can_find() -> None:
    found = report(**in_half("bfloat16", left_float32=1e-6))
    named = {name.split(":")[0] for name, _, _ in probe_wording.rows(found)} | {"single", "single_float32"}
    assert {far.split(" from ")[1] for _, _, far in probe_wording.rows(found)} <= named


def test_probes_on_a_side_that_the_caller_does_not_use_are_left_out() -> None:
    found = report(settings=JudgeSettings(padding_side="left"))
    assert not [name for name, _, _ in probe_wording.rows(found) if name.startswith("right")]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"left_out": ()}, ""),
        (
            {"left_out": ("shifted",)},
            (
                "Nothing is in doubt, so these expensive probes did not run (--thorough runs them): "
                "shifted, more pad counts."
            ),
        ),
        ({"left_out": (), "sweep": sweep({1: 0.0, 33: 0.5})}, "Prompt 0 also ran with 2 pad counts from 1 to 33."),
        (
            {"left_out": (), "screen": sweep({1: 0.0, 16: 0.0, 9: 0.0})},
            "Pieces of prompt 0 also ran with 3 pad counts from 1 to 16.",
        ),
        (
            {
                "left_out": (),
                "runs": runs(single=run_result(None, stand_in="forward()", rows=(row(0), row(1, stand_in="x")))),
            },
            "forward() stood in for generate() to run prompt 1 alone.",
        ),
        (
            {"left_out": (), "sweep": sweep({1: 0.0}, error=f"IndexError: {HOSTILE}")},
            f"Prompt 0 also ran with pad count 1 and then raised: IndexError: {visible(HOSTILE)}.",
        ),
        (
            {"left_out": (), "sweep": sweep({}, error="IndexError: no")},
            "Prompt 0 raised with other pad counts: IndexError: no.",
        ),
    ],
    ids=["all ran", "none was needed", "pads", "pieces", "a stand-in", "pads until it raised", "no pads"],
)
def test_the_notes_name_pad_counts_stand_ins_and_probes_that_did_not_run(changes: dict[str, object], text: str) -> None:
    assert probe_wording.notes(made_visible(report(**changes))) == text
