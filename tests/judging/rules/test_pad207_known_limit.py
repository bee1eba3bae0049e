import pytest
from builders import ask, difference, finding, gave, in_half, model_facts, probes, raised, unpadded_difference

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.known_limits import KNOWN_LIMITS
from padcheck.judging.rules.pad207_known_limit import KnownLimit

every_limit = pytest.mark.parametrize("model_type", KNOWN_LIMITS)


@every_limit
def test_fires_if_left_padding_does_what_upstream_says(model_type: str) -> None:
    limit = KNOWN_LIMITS[model_type]
    changes = gave(left=(unpadded_difference(0.0), difference(0.0, 0.5)))
    found = finding(KnownLimit(), model=model_facts(model_type=model_type), **changes)
    assert found.severity is Severity.ERROR
    assert f"{model_type} cannot be left-padded by design: {limit.reason}." in found.message
    assert (
        "changes 1 of 2 prompts: largest difference 0.5 (prompt 1, token 1), rounding explains up to 0.0002"
        in found.message
    )
    assert found.evidence == {
        "prompts": [1],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
        "step": 1,
        "expected": "different",
        "measured": "different",
        "padding_side_instead": limit.instead,
    }
    assert found.fix.startswith("#")
    assert ("pad on the right" in found.fix) == (limit.instead == "right")


@pytest.mark.parametrize(("left", "measured"), [(0.0, "identical"), (1e-6, "equivalent")])
def test_a_limit_that_does_not_show_is_a_surprise_and_no_error(left: float, measured: str) -> None:
    found = finding(KnownLimit(), model=model_facts(model_type="rwkv"), **probes(left=left))
    assert found.severity is Severity.INFO
    assert "rwkv is known not to support left padding" in found.message
    assert "here left padding changes nothing beyond rounding" in found.message
    assert found.evidence == {"expected": "different", "measured": measured}


@pytest.mark.parametrize("left", [0.0, 0.5])
def test_silent_about_a_model_type_without_a_known_limit(left: float) -> None:
    assert ask(KnownLimit(), model=model_facts(model_type="llama"), **probes(left=left)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"runs": {}}, "undecided: only the tokenizer was inspected"),
        (
            {"runs": gave()["runs"] | {"left": raised("left")}, "differences": gave(left=())["differences"]},
            "undecided: the run left raised: ValueError: no",
        ),
    ],
    ids=["no run", "the run raised"],
)
def test_skipped_if_the_left_padded_batch_did_not_run(changes: dict[str, object], reason: str) -> None:
    outcome = ask(KnownLimit(), model=model_facts(model_type="rwkv"), **changes)
    assert outcome == Skipped(code="PAD207", reason=reason)
    assert ask(KnownLimit(), **changes) is None


def test_a_limit_that_only_float32_shows_is_no_surprise() -> None:
    changes = in_half("bfloat16", left_float32=0.01)
    changes["model"] = model_facts(model_type="recurrent_gemma", dtype="bfloat16")
    found = finding(KnownLimit(), **changes)
    assert (found.severity, found.evidence["max_abs_diff"]) == (Severity.ERROR, 0.01)


def test_nan_is_neither_the_limit_nor_a_surprise() -> None:
    outcome = ask(KnownLimit(), model=model_facts(model_type="trocr"), **probes(left=None))
    assert outcome == Skipped(code="PAD207", reason="left padding is wrong for another reason than the limit")
