import pytest
from builders import (
    ask,
    difference,
    differences,
    finding,
    gave,
    in_half,
    many_prompts,
    model_facts,
    precision,
    probes,
    rows_of,
    sweep,
    unpadded_difference,
    without,
)

from padcheck.core.evidence import Place
from padcheck.core.precision import precision_test
from padcheck.core.run_results import RowDifference
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad201_left_padding_changes_output import LeftPaddingChangesOutput

UNPADDED = unpadded_difference(0.0, 0.0)


def test_fires_if_a_padded_row_is_different() -> None:
    found = finding(LeftPaddingChangesOutput(), differences=differences(left=(UNPADDED, difference(0.0, 0.5))))
    assert found.severity is Severity.ERROR
    assert "1 of 2 prompts differ" in found.message
    assert "largest difference 0.5 (prompt 1, token 1), rounding explains up to 0.0002" in found.message
    assert found.evidence == {
        "prompts": [1],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
        "step": 1,
        "right_with_attention": None,
        "same_for_every_pad_count": False,
    }
    assert found.fix.startswith("#")


def test_the_numbers_are_those_of_the_row_that_is_furthest_off() -> None:
    rows = (UNPADDED, difference(0.2, prompt_index=1), difference(0.4, prompt_index=2))
    found = finding(LeftPaddingChangesOutput(), **many_prompts(3) | {"differences": differences(left=rows)})
    assert found.evidence["prompts"] == [1, 2]
    assert "largest difference 0.4 (prompt 2," in found.message


def test_fires_if_nothing_is_allowed() -> None:
    rows = (UNPADDED, difference(1e-9))
    found = finding(LeftPaddingChangesOutput(), atol=0.0, rtol=0.0, differences=differences(left=rows))
    assert found.evidence["allowed"] == 0


@pytest.mark.parametrize(
    "rows",
    [(UNPADDED, difference(1e-5)), (unpadded_difference(0.5), difference(0.0)), (UNPADDED, difference(None))],
    ids=["rounding", "a row without pads (PAD206)", "NaN (PAD204)"],
)
def test_silent_if_it_is_not_padding_that_changes_a_number(rows: tuple[RowDifference, ...]) -> None:
    assert ask(LeftPaddingChangesOutput(), differences=differences(left=rows)) is None


def test_silent_if_only_the_right_padded_batch_is_different() -> None:
    assert ask(LeftPaddingChangesOutput(), differences=differences(right=(UNPADDED, difference(0.5)))) is None


def test_skipped_if_the_left_padded_batch_did_not_run() -> None:
    assert isinstance(ask(LeftPaddingChangesOutput(), **without("left")), Skipped)


@pytest.mark.parametrize(
    ("counts", "same"),
    [
        ({1: 0.5, 2: 0.5, 33: 0.50001}, True),
        ({1: 0.5, 2: 0.5, 33: 0.6}, False),
        ({1: 0.5, 2: 0.5, 33: 0.0}, False),
        ({1: 0.5}, False),
        ({1: None, 2: None}, False),
    ],
    ids=["the same", "another", "one is right", "one count", "NaN"],
)
def test_says_whether_it_is_the_same_for_every_pad_count(counts: dict[int, float | None], same: bool) -> None:
    found = finding(LeftPaddingChangesOutput(), sweep=sweep(counts), **probes(left=0.5))
    assert found.evidence["same_for_every_pad_count"] is same
    assert found.message.endswith("so the fault does not count pads.") is same


@pytest.mark.parametrize(("implementation", "other"), [("sdpa", "eager"), ("eager", "sdpa")])
def test_names_the_attention_implementation_that_makes_it_right(implementation: str, other: str) -> None:
    model = model_facts(attn_implementation=implementation)
    found = finding(LeftPaddingChangesOutput(), model=model, **probes(left=0.5, left_other_attention=1e-6))
    assert found.message.endswith(f"With {other} attention the first token is right.")
    assert found.evidence["right_with_attention"] == other
    assert found.fix == f'AutoModelForCausalLM.from_pretrained(..., attn_implementation="{other}")'


@pytest.mark.parametrize(
    "measured",
    [
        {"left": rows_of("left", 0.5), "left_other_attention": rows_of("left_other_attention", 0.5)},
        {"left": rows_of("left", 0.0, 0.5), "left_other_attention": rows_of("left_other_attention", 0.0)},
    ],
    ids=["it is wrong too", "a later token is what is wrong"],
)
def test_names_no_attention_implementation_that_was_not_seen_to_help(measured: dict[str, object]) -> None:
    found = finding(LeftPaddingChangesOutput(), **gave(**measured))
    assert found.evidence["right_with_attention"] is None
    assert "attn_implementation" not in found.fix


def test_fires_if_only_a_batch_of_one_takes_no_pads() -> None:
    found = finding(LeftPaddingChangesOutput(), **probes(left_alone=0.5))
    assert found.severity is Severity.ERROR
    assert found.message == (
        "In a batch of one a left-padded prompt differs from the same prompt without pads; in a larger batch it does "
        "not: largest difference 0.5 (prompt 1), rounding explains up to 0.0002."
    )
    assert found.evidence == {"prompts": [1], "max_abs_diff": 0.5, "allowed": pytest.approx(2e-4)}
    assert found.fix.startswith("# never pad a batch of one")


def test_if_the_whole_batch_is_wrong_that_is_reported() -> None:
    assert finding(LeftPaddingChangesOutput(), **probes(left=0.25, left_alone=0.5)).evidence["max_abs_diff"] == 0.25


def test_in_16_bit_a_fault_that_rounding_hides_is_reported_in_float32() -> None:
    found = finding(LeftPaddingChangesOutput(), **in_half("bfloat16", left=0.5, left_float32=0.25))
    assert found.severity is Severity.ERROR
    assert found.message == (
        "In float32 left padding changes 1 of 2 prompts: "
        "largest difference 0.25 (prompt 1), rounding explains up to 0.0002. "
        "In bfloat16 rounding hides it: there it explains up to 3.5."
    )
    assert found.evidence == {
        "prompts": [1],
        "max_abs_diff": 0.25,
        "allowed": pytest.approx(2e-4),
        "dtype": "float32",
    }


def test_if_16_bit_shows_it_that_is_reported() -> None:
    found = finding(LeftPaddingChangesOutput(), **in_half("float16", left=5.0, left_float32=0.25))
    assert found.message.startswith("With left padding 1 of 2 prompts differ")
    assert found.evidence["max_abs_diff"] == 5.0
    assert "dtype" not in found.evidence


def test_silent_if_neither_dtype_shows_it() -> None:
    assert ask(LeftPaddingChangesOutput(), **in_half("bfloat16", left=0.5, left_float32=1e-6)) is None


def test_a_fault_that_only_16_bit_has_says_so() -> None:
    found = finding(LeftPaddingChangesOutput(), **in_half("float16", left=5.0))
    assert found.message.endswith("In float32 it is right: only float16 has this fault.")


def test_a_fault_only_in_16_bit_shows_as_distance_of_padded_rows_from_float32() -> None:
    steps = precision(*[2.0, 2.2] * 10)
    found = finding(LeftPaddingChangesOutput(), precision=steps, **in_half("bfloat16", left=0.5))
    test = precision_test(steps)
    assert test is not None
    assert found.severity is Severity.ERROR
    assert found.message == (
        f"In bfloat16 left-padded rows are 2.1 times as far from float32 as the same prompts alone (at least "
        f"{test.at_least:.3g} times with 99.9 % confidence, over 20 steps of 1 prompts; up to 1.2 is rounding). "
        "In float32 they agree: only bfloat16 has this fault."
    )
    assert found.evidence == {
        "ratio": pytest.approx(2.098, abs=1e-3),
        "at_least": test.at_least,
        "confidence": 0.999,
        "steps": 20,
        "dtype": "bfloat16",
    }
    assert found.fix == "model = model.float()"


@pytest.mark.parametrize("steps", [precision(*[1.0] * 20), precision(*[9.0] * 7), ()], ids=["as far", "few", "none"])
def test_silent_if_padded_rows_are_as_far_from_float32_as_the_prompts_alone(steps: object) -> None:
    assert ask(LeftPaddingChangesOutput(), precision=steps, **in_half("bfloat16", left=0.5)) is None


@pytest.mark.parametrize(
    ("measured", "beginning"),
    [
        ({"left": 5.0}, "With left padding"),
        ({"left_alone": 0.5}, "In a batch of one"),
        ({"left_float32": 0.25}, "In float32 left padding changes"),
    ],
)
def test_a_difference_of_one_step_is_reported_before_one_of_all_steps(
    measured: dict[str, float], beginning: str
) -> None:
    changes = in_half("float16", **measured)
    found = finding(LeftPaddingChangesOutput(), precision=precision(*[2.0] * 20), **changes)
    assert found.message.startswith(beginning)


PLACE = Place(
    module="model.layers.2.self_attn",
    class_name="LlamaAttention",
    file="transformers/models/llama/modeling_llama.py",
    line=253,
    difference_before=1e-6,
    difference=None,
    allowed=1e-4,
    prompt_index=1,
    step=0,
)


def test_the_module_in_which_it_begins_is_named() -> None:
    found = finding(LeftPaddingChangesOutput(), places={"right_forward": PLACE, "left": PLACE}, **probes(left=0.5))
    assert found.message.endswith(
        " It begins in model.layers.2.self_attn (LlamaAttention, transformers/models/llama/modeling_llama.py:253): "
        "its inputs differ by 1e-06, its output by NaN."
    )
    assert found.evidence["place"]["module"] == "model.layers.2.self_attn"
    assert found.evidence["place"]["class"] == "LlamaAttention"
    other = finding(LeftPaddingChangesOutput(), places={"right_forward": PLACE}, **probes(left=0.5))
    assert "place" not in other.evidence


ALONE_WRONG = {"uncached": rows_of("uncached", 0.0, 0.5)}


def test_fires_if_the_first_token_is_off_whatever_the_prompts_alone_do() -> None:
    assert finding(LeftPaddingChangesOutput(), **gave(left=rows_of("left", 0.5, 0.5), **ALONE_WRONG))


def test_fires_if_the_prompts_alone_say_the_same_without_a_cache() -> None:
    rows = {"left": rows_of("left", 0.0, 0.5), "uncached": rows_of("uncached", 0.0, 1e-6)}
    assert finding(LeftPaddingChangesOutput(), **gave(**rows))
