import pytest
from builders import ask, finding, gave, in_half, probes, rows_of, runs, without
from msgspec.structs import replace

from padcheck.core.run_results import RunResult
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad208_generate_differs_from_forward import GenerateDiffersFromForward


def test_fires_if_forward_gives_other_logits_than_generate() -> None:
    found = finding(GenerateDiffersFromForward(), **probes(forward=0.5))
    assert found.severity is Severity.WARNING
    assert "the first new token: largest difference 0.5 (prompt 1), rounding explains up to 0.0002" in found.message
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4), "step": 0}
    assert "prepare_inputs_for_generation" in found.fix


def test_an_error_if_the_cache_makes_later_tokens_of_a_prompt_alone_wrong_and_left_padding_shows_it() -> None:
    rows = {"left": rows_of("left", 0.0, 0.5), "uncached": rows_of("uncached", 0.0, 0.25)}
    found = finding(GenerateDiffersFromForward(), **gave(**rows))
    assert found.severity is Severity.ERROR
    assert found.message == (
        "Alone and unpadded, generate() gives other logits with its cache than without: "
        "largest difference 0.25 (prompt 1, token 1), rounding explains up to 0.0002."
    )
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.25, "allowed": pytest.approx(2e-4), "step": 1}
    assert found.fix.startswith("model.generate(**inputs, use_cache=False)")


@pytest.mark.parametrize("left", [(0.0, 0.0), (0.5, 0.5)], ids=["nothing", "the first token too"])
def test_a_warning_if_left_padding_changes_something_else_than_later_tokens(left: tuple[float, ...]) -> None:
    rows = {"left": rows_of("left", *left), "uncached": rows_of("uncached", 0.0, 0.25)}
    found = finding(GenerateDiffersFromForward(), **gave(**rows))
    assert found.severity is Severity.WARNING
    assert found.evidence["step"] == 1


def test_if_the_first_token_differs_already_the_cache_is_not_blamed() -> None:
    rows = {"forward": rows_of("forward", 0.5), "uncached": rows_of("uncached", 0.0, 0.25)}
    found = finding(GenerateDiffersFromForward(), **gave(left=rows_of("left", 0.0, 0.5), **rows))
    assert found.severity is Severity.WARNING
    assert found.evidence["step"] == 0


@pytest.mark.parametrize("run", ["forward", "uncached"])
def test_silent_within_rounding(run: str) -> None:
    assert ask(GenerateDiffersFromForward(), **probes(**{run: 1e-6})) is None


def stood_in(run: str, *prompts: int) -> RunResult:
    ran = in_half()["runs"][run]
    rows = tuple(replace(row, stand_in=WHAT if row.prompt_index in prompts else None) for row in ran.rows)
    return replace(ran, rows=rows, stand_in=WHAT)


WHAT = "forward() over prompt and new tokens"


def test_skipped_if_something_stands_in_for_generate_alone() -> None:
    outcome = ask(GenerateDiffersFromForward(), runs=runs(single=stood_in("single", 1)))
    reason = f"{WHAT} stands in for generate() on prompts 1; the others agree"
    assert outcome == Skipped(code="PAD208", reason=reason)


def test_skipped_if_in_float32_nothing_went_through_generate_alone() -> None:
    changes = in_half("bfloat16")
    changes["runs"] |= {"single_float32": stood_in("single_float32", 0, 1)}
    outcome = ask(GenerateDiffersFromForward(), **changes)
    reason = f"{WHAT} stands in for generate() on prompts 0, 1; the 16-bit run was compared instead"
    assert outcome == Skipped(code="PAD208", reason=reason)


def test_a_difference_is_reported_although_something_stands_in() -> None:
    changes = probes(forward=0.5)
    changes["runs"] |= {"single": stood_in("single", 0)}
    assert finding(GenerateDiffersFromForward(), **changes)


def test_skipped_if_the_probe_did_not_run() -> None:
    assert isinstance(ask(GenerateDiffersFromForward(), **without("forward")), Skipped)
