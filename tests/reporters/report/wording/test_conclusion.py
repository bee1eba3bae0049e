"""The one sentence that sums a report up."""

import pytest
from builders import (
    difference,
    differences,
    in_half,
    in_modes,
    model_facts,
    no_padding,
    precision,
    probes,
    raised,
    report,
    rows_of,
    runs,
    tokenizer_facts,
    unpadded_difference,
)

from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.reporters.report.wording import rounding
from padcheck.reporters.report.wording.conclusion import conclusion

EXPECTED = "right-padded generate() differs, as expected"
UNPADDED = unpadded_difference(0.0)


def _differ(left: float | None = 0.0, right: float | None = 0.0) -> dict[str, object]:
    return {
        "differences": differences(left=(UNPADDED, difference(left)), right=(UNPADDED, difference(right))),
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "PASS: left padding changes nothing"),
        (_differ(left=1e-5), "PASS: left padding changes nothing beyond rounding"),
        (
            _differ(right=0.5),
            f"PASS: left padding changes nothing; {EXPECTED} (1 warning)",
        ),
        (
            _differ(left=1e-5, right=0.5),
            f"PASS: left padding changes nothing beyond rounding; {EXPECTED} (1 warning)",
        ),
        (_differ(left=0.5), "FAIL: left padding changes what the model says (1 error)"),
        (_differ(left=0.5, right=0.5), "FAIL: left padding changes what the model says (1 error, 1 warning)"),
        (_differ(left=None), "FAIL: left padding gives NaN or infinity (1 error)"),
        (
            {"runs": runs(left=raised("left")), "differences": differences(left=())},
            "FAIL: the left-padded batch did not run (1 error)",
        ),
        (
            in_modes("static-cache", "assisted", static_cache=rows_of("static_cache", 0.5)),
            "FAIL: left padding changes nothing; static-cache changes a prompt alone (1 error)",
        ),
        (
            in_modes("static-cache", "no-cache", left_uncached=rows_of("left_uncached", 0.5)),
            "FAIL: left padding changes nothing; with no-cache left padding changes what it says (1 error)",
        ),
        (in_modes("static-cache", "assisted"), "PASS: left padding changes nothing"),
        (no_padding(), "NOT MEASURED: no verdict on padding (1 warning)"),
        (probes(broken_mask=0.0), "NOT MEASURED: no verdict on padding (1 warning)"),
        (
            in_half("bfloat16", left=0.5, left_float32=0.5),
            "FAIL: left padding changes what the model says in float32, which rounding hides in bfloat16 (1 error)",
        ),
        (
            in_half("bfloat16", left=0.5, right=9.0, left_float32=0.5),
            (
                "FAIL: left padding changes what the model says in float32, which rounding hides in bfloat16; "
                f"{EXPECTED} (1 error, 1 warning)"
            ),
        ),
        (
            in_half("bfloat16", left=9.0, left_float32=0.5),
            "FAIL: left padding changes what the model says (1 error)",
        ),
        (
            in_half("float16", left=0.1, left_float32=0.0),
            "PASS: left padding changes nothing beyond rounding",
        ),
        ({"runs": {}, "differences": {}}, "NOT MEASURED: no verdict on padding"),
        ({"model": model_facts(embedding_rows=128)}, "PASS: left padding changes nothing (1 info)"),
        (
            {"tokenizer": tokenizer_facts(padding_side="right")} | _differ(right=0.5),
            f"PASS: left padding changes nothing; {EXPECTED} (2 warnings)",
        ),
    ],
)
def test_a_comparison_ends_in_one_sentence(changes: dict[str, object], sentence: str) -> None:
    assert conclusion(report(**changes)) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "PASS: nothing to report"),
        ({"tokenizer": tokenizer_facts(padding_side="right")}, "PASS (1 warning)"),
        ({"model": model_facts(embedding_rows=1)}, "FAIL (1 error)"),
    ],
)
def test_an_inspection_ends_in_one_sentence(changes: dict[str, object], sentence: str) -> None:
    assert conclusion(report("inspect-tokenizer", **changes)) == sentence


def test_a_fault_that_only_16_bit_has_is_in_the_sentence() -> None:
    found = report(precision=precision(*[2.0] * 20), **in_half("bfloat16", left=0.5))
    assert conclusion(found) == "FAIL: left padding adds to the errors of bfloat16 (1 error)"
    test = found.precision_test
    assert test is not None
    assert dict(rounding.rows(found))["left, all steps"] == (
        f"2 times as far from float32 as the prompts alone, at least {test.at_least:.3g} times with 99.9 % confidence "
        "(20 steps); rounding explains up to 1.2 times"
    )


@pytest.mark.parametrize(
    ("changes", "settings", "sentence"),
    [
        (
            probes(left=0.5),
            JudgeSettings(fail_on=None),
            "FAULT FOUND, passed by --fail-on never: left padding changes what the model says (1 error)",
        ),
        (
            probes(left=0.5),
            JudgeSettings(fail_on=None, known={"PAD201": Severity.ERROR}),
            "PASS: left padding changes what the model says (1 known)",
        ),
        (
            _differ(right=0.5),
            JudgeSettings(fail_on=None),
            f"PASS: left padding changes nothing; {EXPECTED} (1 warning)",
        ),
        (
            probes(left=0.5),
            JudgeSettings(),
            "FAIL: left padding changes what the model says (1 error)",
        ),
        (
            _differ(right=0.5),
            JudgeSettings(fail_on=Severity.WARNING),
            f"FAIL by --fail-on warning: left padding changes nothing; {EXPECTED} (1 warning)",
        ),
    ],
    ids=["an error", "a known error", "a warning", "it fails", "a warning fails"],
)
def test_fail_on_never_does_not_turn_a_fault_into_a_pass(
    changes: dict[str, object], settings: JudgeSettings, sentence: str
) -> None:
    assert conclusion(report(settings=settings, **changes)) == sentence


def test_a_run_that_raised_is_not_a_pass() -> None:
    found = report(
        settings=JudgeSettings(fail_on=None), runs=runs(left=raised("left")), differences=differences(left=())
    )
    assert not conclusion(found).startswith("PASS")


def test_a_fault_in_float32_does_not_hide_nan_or_an_error() -> None:
    broken = in_half("float16", left=None, left_float32=0.5)
    assert conclusion(report(**broken)).startswith("FAIL: left padding gives NaN or infinity")
    broken["runs"]["left"], broken["differences"]["left"] = raised("left"), ()
    assert conclusion(report(**broken)).startswith("FAIL: the left-padded batch did not run")
