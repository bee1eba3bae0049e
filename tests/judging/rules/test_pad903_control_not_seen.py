import pytest
from builders import ask, differences, finding, in_half, no_padding, probes, raised, report, runs, without

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad903_control_not_seen import ControlNotSeen

NOT_SEEN = probes(broken_mask=1e-6)


def test_fires_if_a_mask_that_was_broken_on_purpose_changes_nothing() -> None:
    found = finding(ControlNotSeen(), **NOT_SEEN)
    assert found.severity is Severity.WARNING
    assert found.message == (
        "The mask was broken on purpose and nothing shows: largest difference 1e-06, rounding explains up to 0.0002. "
        "A real fault would not show either."
    )
    assert found.evidence == {"max_abs_diff": 1e-6, "allowed": pytest.approx(2e-4)}
    assert found.fix.startswith("padcheck compare MODEL --dtype float32")


def test_fires_if_the_control_could_not_be_run() -> None:
    changes = {"runs": runs(broken_mask=raised("left")), "differences": differences(broken_mask=())}
    found = finding(ControlNotSeen(), **changes)
    assert "nothing shows: it could not be run. A real fault" in found.message
    assert found.evidence == {"max_abs_diff": None, "allowed": None}


@pytest.mark.parametrize(
    "measured",
    [
        {"broken_mask": 0.5},
        {"broken_mask": None},
        {"broken_mask": 0.0, "left_no_mask": 0.5},
        {"broken_mask": 0.0, "left_no_mask": None},
    ],
    ids=["it shows", "it shows as NaN", "a mask left out shows", "a mask left out shows as NaN"],
)
def test_silent_if_a_control_shows(measured: dict[str, float | None]) -> None:
    assert ask(ControlNotSeen(), **probes(**measured)) is None


def test_a_row_without_pads_is_no_control() -> None:
    broken = differences()["left_forward"][:1] + differences()["broken_mask"][:1]
    assert finding(ControlNotSeen(), differences=differences(broken_mask=broken))


def test_silent_if_left_padding_is_wrong_anyway() -> None:
    assert ask(ControlNotSeen(), **probes(broken_mask=0.0, left=0.5)) is None


@pytest.mark.parametrize(
    "changes",
    [without("broken_mask"), no_padding(), {"runs": {}, "differences": {}}],
    ids=["no control", "no padding (PAD901)", "no run"],
)
def test_silent_if_there_is_nothing_to_control(changes: dict[str, object]) -> None:
    assert ask(ControlNotSeen(), **changes) is None


@pytest.mark.parametrize(
    ("changes", "covering"),
    [
        (probes(broken_mask=0.0, batched=0.5), "PAD206"),
        ({"runs": runs(single=raised(None)), "differences": {}}, "PAD902"),
    ],
)
def test_skipped_if_another_finding_explains_why_nothing_can_be_seen(changes: dict[str, object], covering: str) -> None:
    found = report(**changes)
    assert covering in [finding.code for finding in found.findings]
    assert ("PAD903", f"covered by {covering}") in [(rule.code, rule.reason) for rule in found.skipped]


def test_of_a_model_in_16_bit_the_control_runs_in_float32_if_rounding_does_not_hide_it() -> None:
    assert ask(ControlNotSeen(), **in_half("bfloat16", broken_mask=0.01)) is None
    found = finding(ControlNotSeen(), **in_half("bfloat16", broken_mask=1e-6))
    assert found.evidence == {"max_abs_diff": 1e-6, "allowed": pytest.approx(2e-4)}
