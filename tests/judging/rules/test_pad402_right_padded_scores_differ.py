from builders import ask, finding, in_half, probes, report, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad402_right_padded_scores_differ import RightPaddedScoresDiffer


def test_fires_if_a_real_token_sees_the_pads_after_it() -> None:
    found = finding(RightPaddedScoresDiffer(), **probes(right_forward=0.5))
    assert found.severity is Severity.ERROR
    assert "wrong for 1 of 2 prompts: largest difference 0.5" in found.message


def test_silent_within_rounding() -> None:
    changes = probes(right_forward=1e-6)
    assert ask(RightPaddedScoresDiffer(), **changes) is None


def test_skipped_if_the_probe_did_not_run() -> None:
    assert isinstance(ask(RightPaddedScoresDiffer(), **without("right_forward")), Skipped)


def test_skipped_if_the_batch_explains_it() -> None:
    found = report(**probes(right_forward=0.5, few_copies=0.5))
    assert [finding.code for finding in found.findings] == ["PAD206"]
    assert ("PAD402", "covered by PAD206") in [(rule.code, rule.reason) for rule in found.skipped]


def test_in_16_bit_what_float32_shows_counts() -> None:
    found = finding(RightPaddedScoresDiffer(), **in_half("bfloat16", right_forward=0.01))
    assert found.message.startswith(
        "In float32 right-padded forward(), read at the last real token, is wrong for 1 of 2"
    )
    assert ask(RightPaddedScoresDiffer(), **in_half("bfloat16")) is None
