from builders import ask, finding, probes, without

from padcheck.checks.pad208_generate_differs_from_forward import GenerateDiffersFromForward
from padcheck.report import Skipped
from padcheck.severity import Severity


def test_fires_where_forward_says_something_else_than_generate() -> None:
    found = finding(GenerateDiffersFromForward(), **probes(forward=0.5))
    assert found.severity is Severity.WARNING
    assert "max_abs_diff 0.5 at prompt 1" in found.message


def test_silent_within_rounding() -> None:
    assert ask(GenerateDiffersFromForward(), **probes(forward=1e-6)) is None


def test_skipped_where_the_probe_did_not_run() -> None:
    assert isinstance(ask(GenerateDiffersFromForward(), **without("forward")), Skipped)
