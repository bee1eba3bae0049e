from builders import ask, finding, in_half, probes, report, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad404_left_padded_scores_differ import LeftPaddedScoresDiffer

WRONG = probes(left_forward=0.6, left_forward_positions=0.5)


def test_fires_if_position_ids_do_not_fix_it() -> None:
    found = finding(LeftPaddedScoresDiffer(), **WRONG)
    assert found.severity is Severity.ERROR
    assert "wrong for 1 of 2 prompts: largest difference 0.5" in found.message
    assert found.fix.startswith('tokenizer.padding_side = "right"')


def test_if_the_right_is_wrong_too_there_is_no_side_to_change_to() -> None:
    changes = probes(left_forward=0.6, left_forward_positions=0.5, right_forward=0.5)
    assert finding(LeftPaddedScoresDiffer(), **changes).fix.startswith("# score prompts of equal length")


def test_silent_if_position_ids_fix_it() -> None:
    assert ask(LeftPaddedScoresDiffer(), **probes(left_forward=0.6)) is None


def test_silent_if_it_is_right_without_position_ids() -> None:
    assert ask(LeftPaddedScoresDiffer(), **probes(left_forward_positions=0.5)) is None


def test_skipped_if_the_probe_did_not_run() -> None:
    assert isinstance(ask(LeftPaddedScoresDiffer(), **without("left_forward_positions")), Skipped)


def test_skipped_if_the_batch_explains_it() -> None:
    found = report(**probes(left_forward=0.6, left_forward_positions=0.5, few_copies=0.5))
    assert "PAD404" not in {finding.code for finding in found.findings}


def test_in_16_bit_what_float32_shows_counts() -> None:
    assert finding(LeftPaddedScoresDiffer(), **in_half("bfloat16", left_forward=0.02, left_forward_positions=0.01))
    assert ask(LeftPaddedScoresDiffer(), **in_half("bfloat16", left_forward=0.02)) is None
