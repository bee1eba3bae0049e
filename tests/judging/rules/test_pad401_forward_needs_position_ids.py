from builders import ask, finding, probes, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad401_forward_needs_position_ids import ForwardNeedsPositionIds


def forward(bare: float, with_positions: float) -> dict[str, object]:
    return probes(left_forward=bare, left_forward_positions=with_positions)


def test_fires_if_positions_make_it_right() -> None:
    found = finding(ForwardNeedsPositionIds(), **forward(bare=0.5, with_positions=1e-6))
    assert found.severity is Severity.WARNING
    assert "wrong for 1 of 2 prompts: largest difference 0.5" in found.message


def test_silent_if_they_are_not_needed() -> None:
    assert ask(ForwardNeedsPositionIds(), **forward(bare=1e-6, with_positions=0.0)) is None


def test_silent_if_they_do_not_help() -> None:
    assert ask(ForwardNeedsPositionIds(), **forward(bare=0.5, with_positions=0.5)) is None


def test_skipped_if_the_model_takes_no_positions() -> None:
    assert isinstance(ask(ForwardNeedsPositionIds(), **without("left_forward_positions")), Skipped)


def test_silent_if_forward_with_position_ids_gives_nan() -> None:
    assert ask(ForwardNeedsPositionIds(), **probes(left_forward=0.5, left_forward_positions=None)) is None
