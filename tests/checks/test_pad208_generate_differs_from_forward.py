import pytest
from builders import ask, finding, gave, probes, rows_of, without

from padcheck.checks.pad208_generate_differs_from_forward import GenerateDiffersFromForward
from padcheck.report import Skipped
from padcheck.severity import Severity


def test_fires_where_forward_says_something_else_than_generate() -> None:
    found = finding(GenerateDiffersFromForward(), **probes(forward=0.5))
    assert found.severity is Severity.WARNING
    assert "the first new token: max_abs_diff 0.5 at prompt 1 (0.0002 allowed)" in found.message
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4), "step": 0}
    assert "prepare_inputs_for_generation" in found.fix


def test_an_error_where_the_cache_makes_later_tokens_of_a_prompt_alone_wrong_and_left_padding_shows_it() -> None:
    rows = {"left": rows_of("left", 0.0, 0.5), "uncached": rows_of("uncached", 0.0, 0.25)}
    found = finding(GenerateDiffersFromForward(), **gave(**rows))
    assert found.severity is Severity.ERROR
    assert found.message == (
        "Alone and unpadded, generate() gives other logits with its cache than without: max_abs_diff 0.25 at prompt 1, "
        "token 1 (0.0002 allowed)."
    )
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.25, "allowed": pytest.approx(2e-4), "step": 1}
    assert found.fix.startswith("model.generate(**inputs, use_cache=False)")


@pytest.mark.parametrize("left", [(0.0, 0.0), (0.5, 0.5)], ids=["nothing", "the first token too"])
def test_a_warning_where_left_padding_changes_something_else_than_later_tokens(left: tuple[float, ...]) -> None:
    rows = {"left": rows_of("left", *left), "uncached": rows_of("uncached", 0.0, 0.25)}
    found = finding(GenerateDiffersFromForward(), **gave(**rows))
    assert found.severity is Severity.WARNING
    assert found.evidence["step"] == 1


def test_where_the_first_token_differs_already_the_cache_is_not_blamed() -> None:
    rows = {"forward": rows_of("forward", 0.5), "uncached": rows_of("uncached", 0.0, 0.25)}
    found = finding(GenerateDiffersFromForward(), **gave(left=rows_of("left", 0.0, 0.5), **rows))
    assert found.severity is Severity.WARNING
    assert found.evidence["step"] == 0


@pytest.mark.parametrize("arm", ["forward", "uncached"])
def test_silent_within_rounding(arm: str) -> None:
    assert ask(GenerateDiffersFromForward(), **probes(**{arm: 1e-6})) is None


def test_skipped_where_the_probe_did_not_run() -> None:
    assert isinstance(ask(GenerateDiffersFromForward(), **without("forward")), Skipped)
