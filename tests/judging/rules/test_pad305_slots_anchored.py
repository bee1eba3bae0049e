import pytest
from builders import ask, finding, gave, probes, rows_of, sweep, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad305_slots_anchored import SlotsAnchored

LEFT_DIFFERS = probes(left=0.5)
BLOCKS_OF_FOUR = {1: 0.2, 2: 0.5, 3: 0.3, 4: 0.0, 5: 0.2, 8: 1e-6, 12: 0.0}
EVER_ANOTHER = {1: 0.2, 2: 0.5, 3: 0.3}


def test_fires_if_multiples_of_a_size_are_right() -> None:
    found = finding(SlotsAnchored(), sweep=sweep(BLOCKS_OF_FOUR, sizes={"sliding_window": 16}), **LEFT_DIFFERS)
    assert found.severity is Severity.ERROR
    assert found.message == (
        "With a multiple of 4 pads the prompt is right, with other pad counts it is wrong, so something is anchored to "
        "slots: "
        "largest difference 0.5 (prompt 0), rounding explains up to 0.0002."
    )
    assert found.evidence == {
        "prompts": [1],
        "period": 4,
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
    }
    assert found.fix == "# batch prompts whose lengths differ by multiples of 4, or run them one by one"


def test_names_the_settings_that_have_the_size() -> None:
    sizes = {"attention_chunk_size": 4, "mamba_chunk_size": 4, "sliding_window": 8}
    found = finding(SlotsAnchored(), sweep=sweep(BLOCKS_OF_FOUR, sizes=sizes), **LEFT_DIFFERS)
    assert "wrong (attention_chunk_size, mamba_chunk_size is 4), so something" in found.message


def test_fires_if_every_number_of_pads_is_wrong_in_another_way() -> None:
    found = finding(SlotsAnchored(), sweep=sweep(EVER_ANOTHER), **LEFT_DIFFERS)
    assert found.message.startswith(
        "The difference changes with the pad count, and neither pads nor position_ids explain it, so something is "
        "anchored to slots: "
    )
    assert found.evidence["period"] is None
    assert found.fix == "# batch prompts of equal length, or run them one by one"


@pytest.mark.parametrize(
    "counts",
    [{1: 0.5, 2: 0.5, 3: 0.5}, {1: 0.0, 2: 0.0, 3: 0.3, 4: 0.5}, {1: 0.0, 2: 1e-6}],
    ids=["the same for any number (PAD201)", "a few pads are right (PAD205)", "all are right"],
)
def test_silent_if_nothing_is_anchored_to_slots(counts: dict[int, float]) -> None:
    assert ask(SlotsAnchored(), sweep=sweep(counts), **LEFT_DIFFERS) is None


@pytest.mark.parametrize("counts", [BLOCKS_OF_FOUR, EVER_ANOTHER], ids=["a period", "no period"])
def test_silent_if_the_pads_are_seen(counts: dict[int, float]) -> None:
    assert ask(SlotsAnchored(), sweep=sweep(counts), **probes(left=0.5, scrambled=0.5)) is None


def test_fires_if_the_prompts_have_right_pad_counts_until_they_grow() -> None:
    found = finding(SlotsAnchored(), sweep=sweep(BLOCKS_OF_FOUR), **gave(left=rows_of("left", 0.0, 0.5)))
    assert (found.evidence["period"], found.evidence["prompts"]) == (4, [1])


@pytest.mark.parametrize("left", [rows_of("left", 1e-6, 1e-6), rows_of("left", None)], ids=["right", "NaN (PAD204)"])
def test_fires_although_no_padded_row_of_the_batch_is_off(left: tuple[object, ...]) -> None:
    """All pad counts may be multiples of the size by chance: then only the sweep shows it."""
    found = finding(SlotsAnchored(), sweep=sweep(BLOCKS_OF_FOUR), **gave(left=left))
    assert (found.evidence["period"], found.evidence["prompts"]) == (4, [0])


def test_silent_if_the_sweep_is_right_for_every_pad_count_and_no_row_is_off() -> None:
    assert ask(SlotsAnchored(), sweep=sweep(dict.fromkeys(BLOCKS_OF_FOUR, 1e-6))) is None


def test_silent_if_nothing_called_for_the_sweep() -> None:
    assert ask(SlotsAnchored()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (LEFT_DIFFERS, "undecided: the sweep over pad counts did not run"),
        (
            LEFT_DIFFERS | {"sweep": sweep(BLOCKS_OF_FOUR, error="IndexError: no")},
            "undecided: the sweep over pad counts did not run",
        ),
        (
            LEFT_DIFFERS | without("scrambled") | {"sweep": sweep(BLOCKS_OF_FOUR)},
            "undecided: the run scrambled did not run",
        ),
    ],
    ids=["no sweep", "the sweep raised", "no scrambled run"],
)
def test_skipped_if_the_evidence_is_not_there(changes: dict[str, object], reason: str) -> None:
    assert ask(SlotsAnchored(), **changes) == Skipped(code="PAD305", reason=reason)
