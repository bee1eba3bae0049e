import pytest
from builders import (
    SHORT,
    ask,
    difference,
    differences,
    finding,
    gave,
    model_facts,
    raised,
    row,
    rows_of,
    run_result,
    runs,
    unpadded_difference,
)

from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad204_non_finite_logits import NonFiniteLogits


def _broken(side: PaddingSide | None):
    return run_result(side, rows=(row(0), row(1, prompt=SHORT, num_pads=2 * bool(side), non_finite_logits=7)))


def test_fires_on_nan_that_only_padding_brings() -> None:
    found = finding(NonFiniteLogits(), runs=runs(left=_broken("left")))
    assert found.severity is Severity.ERROR
    assert found.message == "The logits contain NaN or infinity in left (prompts 1); not in the unpadded run."
    assert found.evidence == {"prompts_by_arm": {"left": [1]}, "right_with_attention": None}
    assert found.fix.startswith("# batch prompts of equal length")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_advises_the_attention_implementation_that_was_seen_to_help(dtype: str) -> None:
    measured = gave(left=rows_of("left", None), left_other_attention=rows_of("left_other_attention", 0.0))
    found = finding(NonFiniteLogits(), model=model_facts(dtype=dtype, attn_implementation="sdpa"), **measured)
    by_arm = {"left": [1], "left_alone": [1]}
    assert found.evidence == {"prompts_by_arm": by_arm, "right_with_attention": "eager"}
    assert found.fix == 'AutoModelForCausalLM.from_pretrained(..., attn_implementation="eager")'


def test_says_that_the_unpadded_run_has_them_too() -> None:
    found = finding(NonFiniteLogits(), runs=runs(single=_broken(None), left=_broken("left")))
    assert "single (prompts 1), left (prompts 1); also in the unpadded run." in found.message
    assert "padding is not the cause" in found.fix


def test_advises_a_wider_range_if_the_run_was_in_float16() -> None:
    found = finding(NonFiniteLogits(), model=model_facts(dtype="float16"), runs=runs(left=_broken("left")))
    assert found.fix == "model = model.to(torch.bfloat16)"


def test_fires_on_an_infinity_that_the_unpadded_run_has_not() -> None:
    changed = differences(right=(unpadded_difference(None), difference(0.0, None)))
    assert finding(NonFiniteLogits(), differences=changed).evidence["prompts_by_arm"] == {"right": [0, 1]}


def test_silent_on_a_large_difference_of_numbers() -> None:
    assert ask(NonFiniteLogits(), differences=differences(left=(difference(1e30),))) is None


def test_skipped_if_no_run_has_logits() -> None:
    outcome = ask(NonFiniteLogits(), runs={"single": raised(None), "left": raised("left")}, differences={})
    assert outcome == Skipped(code="PAD204", reason="undecided: no run gave logits")
