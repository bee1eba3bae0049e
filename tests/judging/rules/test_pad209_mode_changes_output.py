import pytest
from builders import ask, finding, in_modes, probes, rows_of

from padcheck.core.modes import ModeName
from padcheck.core.run_plans import MODES
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad209_mode_changes_output import ModeChangesOutput

RULE = ModeChangesOutput()


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "no-cache"])
def test_fires_if_a_prompt_alone_is_different_in_a_mode(mode: ModeName) -> None:
    run = MODES[mode].alone
    found = finding(RULE, **in_modes(mode, **{run: rows_of(run, 0.0, 0.5)}))
    assert found.severity is Severity.ERROR
    assert found.message == (
        "Alone and unpadded, generate() gives other logits in another mode. "
        f"{mode}: largest difference 0.5 (prompt 1, token 1), rounding explains up to 0.0002."
    )
    numbers = {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4), "step": 1}
    assert found.evidence == {"modes": {mode: numbers}}
    assert mode in found.fix


def test_names_every_mode_that_is_wrong_alone_and_no_other() -> None:
    wrong = {run: rows_of(run, 0.5) for run in ("static_cache", "assisted", "left_second_turn")}
    found = finding(RULE, **in_modes("static-cache", "second-turn", "assisted", **wrong))
    assert list(found.evidence["modes"]) == ["static-cache", "assisted"]
    assert "static-cache: largest" in found.message
    assert "; assisted: largest" in found.message


def test_silent_within_rounding() -> None:
    assert ask(RULE, **in_modes(*MODES)) is None
    assert ask(RULE, **in_modes("static-cache", static_cache=rows_of("static_cache", 1e-6))) is None


def test_silent_about_a_prompt_alone_without_a_cache_which_pad208_judges() -> None:
    assert ask(RULE, **in_modes("no-cache", uncached=rows_of("uncached", 0.5))) is None


def test_silent_about_padding() -> None:
    assert ask(RULE, **in_modes("static-cache", left_static_cache=rows_of("left_static_cache", 0.5))) is None


def test_skipped_if_the_usual_cache_is_wrong_alone_so_that_there_is_no_reference() -> None:
    changes = in_modes("static-cache", static_cache=rows_of("static_cache", 0.5))
    wrong = probes(uncached=0.5)
    changes["runs"] |= {"uncached": wrong["runs"]["uncached"]}
    changes["differences"] |= {"uncached": wrong["differences"]["uncached"]}
    skipped = ask(RULE, **changes)
    assert isinstance(skipped, Skipped)
    assert "no reference" in skipped.reason


def test_not_asked_if_no_mode_was_asked_for() -> None:
    changes = in_modes("no-cache", left_uncached=rows_of("left_uncached", 0.5))
    skipped = ask(RULE, **changes | {"modes": ()})
    assert skipped == Skipped(code=RULE.code, reason="no mode was asked for (--with)", kind="not_asked")
