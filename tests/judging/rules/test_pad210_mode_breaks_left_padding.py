import pytest
from builders import ask, evidence, finding, in_modes, rows_of

from padcheck.core.modes import ModeName
from padcheck.core.run_plans import MODES
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.judge import judge
from padcheck.judging.rules.pad210_mode_breaks_left_padding import ModeBreaksLeftPadding

RULE = ModeBreaksLeftPadding()


@pytest.mark.parametrize("mode", MODES)
def test_fires_if_the_left_padded_batch_is_different_in_a_mode(mode: ModeName) -> None:
    run = MODES[mode].left
    found = finding(RULE, **in_modes(mode, **{run: rows_of(run, 0.0, 0.5)}))
    assert found.severity is Severity.ERROR
    assert found.message == (
        "Left padding changes the output in another mode of generate(), in which the prompts alone are right. "
        f"{mode}: largest difference 0.5 (prompt 1, token 1), rounding explains up to 0.0002."
    )
    numbers = {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4), "step": 1}
    assert found.evidence == {"modes": {mode: numbers}}
    assert f"with {mode}" in found.fix


def test_silent_within_rounding() -> None:
    assert ask(RULE, **in_modes(*MODES)) is None
    assert ask(RULE, **in_modes("assisted", left_assisted=rows_of("left_assisted", 1e-6))) is None


def test_silent_about_a_mode_that_is_wrong_alone() -> None:
    wrong = {run: rows_of(run, 0.5) for run in ("static_cache", "left_static_cache")}
    assert ask(RULE, **in_modes("static-cache", **wrong)) is None


def test_plain_generate_that_is_wrong_explains_the_mode() -> None:
    wrong = {run: rows_of(run, 0.5) for run in ("left", "left_alone", "left_static_cache")}
    report = judge("compare", evidence(**in_modes("static-cache", **wrong)), JudgeSettings())
    assert "PAD201" in {found.code for found in report.findings}
    assert ("PAD210", "covered by PAD201") in {(skipped.code, skipped.reason) for skipped in report.skipped}


def test_not_asked_if_no_mode_was_asked_for() -> None:
    changes = in_modes("no-cache", left_uncached=rows_of("left_uncached", 0.5))
    skipped = ask(RULE, **changes | {"modes": ()})
    assert skipped == Skipped(code=RULE.code, reason="no mode was asked for (--with)", kind="not_asked")
