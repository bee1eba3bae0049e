import pytest
from builders import ask, finding
from msgspec.structs import replace
from tasks import off, raised, trained

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad443_gradient_reaches_pads import GradientReachesPads


def _at_pads(side: str, share: float):
    run = off(side)
    first, padded = run.rows
    return replace(run, rows=(first, replace(padded, numbers={"loss": 2.0, "gradient at pads": share})))


@pytest.mark.parametrize(("side", "severity"), [("right", Severity.ERROR), ("left", Severity.WARNING)])
def test_fires_on_each_side(side: str, severity: Severity) -> None:
    found = finding(GradientReachesPads(), **trained(**{side: _at_pads(side, 0.25)}))
    assert found.severity is severity
    assert "for text 1 it is 25 % of the gradient of the text alone" in found.message


def test_silent_if_the_gradient_is_off_but_not_at_pads() -> None:
    assert ask(GradientReachesPads(), **trained(right=off("right"))) is None


def test_silent_within_rounding() -> None:
    assert ask(GradientReachesPads(), **trained(right=_at_pads("right", 1e-6))) is None


def test_silent_if_nothing_is_off() -> None:
    assert ask(GradientReachesPads(), **trained()) is None


def test_skipped_if_the_texts_alone_did_not_run() -> None:
    assert isinstance(ask(GradientReachesPads(), **trained(alone=raised("alone"))), Skipped)
