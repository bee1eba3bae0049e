from builders import ask, finding
from tasks import off, scored

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad432_harness_scores_differ import HarnessScoresDiffer


def test_fires_if_only_the_missing_mask_makes_it_wrong() -> None:
    found = finding(HarnessScoresDiffer(), **scored(right_no_mask=off("right_no_mask")))
    assert found.severity is Severity.WARNING
    assert "largest difference 0.5" in found.message


def test_silent_if_the_batch_is_wrong_with_its_mask_too() -> None:
    assert ask(HarnessScoresDiffer(), **scored(right=off("right"), right_no_mask=off("right_no_mask"))) is None


def test_silent_if_no_mask_is_needed() -> None:
    assert ask(HarnessScoresDiffer(), **scored()) is None
