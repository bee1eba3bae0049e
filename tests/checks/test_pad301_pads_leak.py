from builders import ask, finding, probes, without

from padcheck.checks.pad301_pads_leak import PadsLeak
from padcheck.report import Skipped
from padcheck.severity import Severity


def test_fires_where_the_ids_under_the_mask_change_a_row() -> None:
    found = finding(PadsLeak(), **probes(scrambled=0.5))
    assert found.severity is Severity.ERROR
    assert "change 1 of 2 prompts: max_abs_diff 0.5" in found.message


def test_silent_where_they_change_nothing() -> None:
    assert ask(PadsLeak(), **probes(scrambled=0.0)) is None


def test_skipped_where_the_probe_did_not_run() -> None:
    assert isinstance(ask(PadsLeak(), **without("scrambled")), Skipped)
