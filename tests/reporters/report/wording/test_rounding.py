"""How far rounding moves logits, and what is allowed for it."""

import pytest
from builders import (
    difference,
    differences,
    model_facts,
    noise,
    probes,
    raised,
    report,
    runs,
    unpadded_difference,
)

from padcheck.core.settings import JudgeSettings
from padcheck.reporters.report.wording import rounding

UNPADDED = unpadded_difference(0.0)


def test_a_measured_noise_floor_lists_how_it_was_measured() -> None:
    ways = noise(rounding_errors=0.02, float32_twin="0.1 GiB are needed", other_attention=0.03)
    found = report(noise=ways, **probes(batched=0.5, left=0.01, broken_mask=0.5))
    assert rounding.rows(found) == [
        ("measured", "logits move by up to 0.03 in float32"),
        ("", "0.02 with rounding_errors"),
        ("", "not measured with float32_twin: 0.1 GiB are needed"),
        ("", "0.03 with other_attention"),
        ("", "0 with one forward() in place of a cache"),
        ("", "0.5 with a whole batch of copies (not counted, since it is more than rounding explains)"),
        (
            "allowed",
            (
                "2 × what was measured, or 0.0001 + 1e-05 × largest logit if that is more "
                "(huggingface/transformers#25420; rounding <= 2e-5, faults >= 0.1)"
            ),
        ),
        ("left", "largest difference 0.01, rounding explains up to 0.06"),
    ]


def test_without_a_measurement_the_noise_floor_is_a_bound() -> None:
    found = report(model=model_facts(dtype="bfloat16", num_layers=4), **probes(left=0.01, broken_mask=9.0))
    assert rounding.rows(found) == [
        ("allowed", "0.12 × largest logit (a bound for 4 layers)"),
        ("left", "largest difference 0.01, rounding explains up to 1.2"),
    ]


def test_tolerances_of_the_user_replace_the_noise_floor() -> None:
    settings = JudgeSettings(atol=0.5, rtol=0.0)
    assert rounding.rows(report(settings=settings)) == [
        ("allowed", "0.5 + 0 × largest logit (given by the user)"),
        ("left", "largest difference 0, rounding explains up to 0.5"),
    ]
    measured = dict(rounding.rows(report(settings=settings, noise=noise(rounding_errors=0.02))))
    assert measured["measured"] == "logits move by up to 0.02 in float32"
    assert measured["allowed"] == "0.5 + 0 × largest logit (given by the user)"


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        (
            {"differences": differences(left=(UNPADDED, difference(None)))},
            "largest difference NaN, rounding explains up to 0.0002",
        ),
        ({"runs": runs(left=raised("left")), "differences": differences(left=())}, None),
    ],
    ids=["NaN", "not run"],
)
def test_left_padding_is_shown_beside_what_rounding_explains(changes: dict[str, object], left: str | None) -> None:
    assert dict(rounding.rows(report(**changes))).get("left") == left


def test_an_inspection_has_no_noise_floor() -> None:
    assert rounding.rows(report("inspect-tokenizer")) == []
