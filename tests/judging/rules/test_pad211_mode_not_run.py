import pytest
from builders import ask, evidence, finding, in_modes, raised, rows_of
from msgspec.structs import replace

from padcheck.core.run_plans import MODES
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped, Verdict
from padcheck.judging.judge import judge
from padcheck.judging.rules.pad211_mode_not_run import ModeNotRun

RULE = ModeNotRun()


def failing(*names: str, refused: bool = False) -> dict[str, object]:
    """Evidence in which these runs of two modes raised."""
    changes = in_modes("static-cache", "assisted")
    for name in names:
        ran = changes["runs"][name]
        changes["runs"][name] = replace(
            raised(ran.padding_side), reference=ran.reference, description=ran.description, refused=refused
        )
        changes["differences"][name] = ()
    return changes


def test_an_info_if_the_library_refuses_the_mode() -> None:
    found = finding(RULE, **failing("assisted", "left_assisted", refused=True))
    assert found.severity is Severity.INFO
    assert found.message == "assisted did not run: ValueError: no"
    assert found.evidence == {"modes": {"assisted": {"arm": "assisted", "error": "ValueError: no"}}}


def test_a_warning_if_the_model_raises_for_a_prompt_alone() -> None:
    found = finding(RULE, **failing("static_cache", "left_static_cache"))
    assert found.severity is Severity.WARNING
    assert found.evidence["modes"]["static-cache"]["arm"] == "static_cache"


def test_an_error_if_the_model_raises_with_left_padding_only() -> None:
    found = finding(RULE, **failing("left_static_cache"))
    assert found.severity is Severity.ERROR
    assert found.evidence["modes"]["static-cache"]["arm"] == "left_static_cache"
    assert "with static-cache: batch prompts of equal length" in found.fix


def test_the_gravest_of_several_modes_decides() -> None:
    changes = failing("static_cache", "left_static_cache", "left_assisted")
    found = finding(RULE, **changes)
    assert found.severity is Severity.ERROR
    assert list(found.evidence["modes"]) == ["static-cache", "assisted"]


def test_an_info_if_no_prompt_is_long_enough() -> None:
    changes = in_modes("second-turn")
    for name in ("second_turn", "left_second_turn"):
        changes["runs"][name] = replace(changes["runs"][name], rows=())
        changes["differences"][name] = ()
    found = finding(RULE, **changes)
    assert (found.severity, found.message) == (
        Severity.INFO,
        "second-turn did not run: no prompt has enough tokens",
    )


def test_silent_if_every_mode_ran() -> None:
    assert ask(RULE, **in_modes(*MODES)) is None


@pytest.mark.parametrize(
    ("names", "status"), [(("static_cache", "left_static_cache"), "pass"), (("left_static_cache",), "fail")]
)
def test_a_mode_that_did_not_run_has_no_verdict(names: tuple[str, ...], status: str) -> None:
    report = judge("compare", evidence(**failing(*names)), JudgeSettings())
    assert {report.comparisons[name].verdict for name in names} == {Verdict.NOT_RUN}
    assert {report.comparisons[name].reason for name in names} == {"ValueError: no"}
    assert report.status == status


def test_not_asked_if_no_mode_was_asked_for() -> None:
    changes = in_modes("no-cache", left_uncached=rows_of("left_uncached", 0.5))
    skipped = ask(RULE, **changes | {"modes": ()})
    assert skipped == Skipped(code=RULE.code, reason="no mode was asked for (--with)", kind="not_asked")
