import pytest
from builders import (
    CONTROLS,
    HOSTILE,
    SHORT,
    batch,
    difference,
    differences,
    evidence,
    flip,
    gave,
    in_half,
    model_facts,
    no_padding,
    noise,
    precision,
    probes,
    raised,
    report,
    row,
    run_result,
    runs,
    sweep,
    tokenizer_facts,
    unpadded_difference,
)

from padcheck.core.evidence import RowDifference, RunResult, TokenFlip
from padcheck.core.facts import PadTokenSuggestion, SpecialTokenIds, TokenIds
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.reporters.report import wording
from padcheck.reporters.report.conclusion import conclusion as conclusion_of
from padcheck.reporters.text.visible import visible, visible_token

UNPADDED = unpadded_difference(0.0)


def _differ(left: float | None = 0.0, right: float | None = 0.0) -> dict[str, object]:
    return {
        "differences": differences(left=(UNPADDED, difference(left)), right=(UNPADDED, difference(right))),
    }


@pytest.mark.parametrize(
    ("changes", "conclusion"),
    [
        ({}, "PASS: left padding changes nothing"),
        (_differ(left=1e-5), "PASS: left padding changes nothing beyond rounding"),
        (_differ(right=0.5), "PASS: left padding changes nothing, right padding does (1 warning)"),
        (
            _differ(left=1e-5, right=0.5),
            "PASS: left padding changes nothing beyond rounding, right padding does (1 warning)",
        ),
        (_differ(left=0.5), "FAIL: left padding changes what the model says (1 error)"),
        (_differ(left=0.5, right=0.5), "FAIL: left padding changes what the model says (1 error, 1 warning)"),
        (_differ(left=None), "FAIL: left padding gives NaN or infinity (1 error)"),
        (
            {"runs": runs(left=raised("left")), "differences": differences(left=())},
            "FAIL: the left-padded batch did not run (1 error)",
        ),
        (no_padding(), "NOT MEASURED: no verdict on padding (1 warning)"),
        (probes(broken_mask=0.0), "NOT MEASURED: no verdict on padding (1 warning)"),
        (
            in_half("bfloat16", left=0.5, left_float32=0.5),
            "FAIL: left padding changes what the model says in float32, which rounding hides in bfloat16 (1 error)",
        ),
        (
            in_half("bfloat16", left=0.5, right=9.0, left_float32=0.5),
            (
                "FAIL: left padding changes what the model says in float32, which rounding hides in bfloat16, "
                "as does right padding (1 error, 1 warning)"
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
            "PASS: left padding changes nothing, right padding does (2 warnings)",
        ),
    ],
)
def test_a_comparison_ends_in_one_sentence(changes: dict[str, object], conclusion: str) -> None:
    assert conclusion_of(report(**changes)) == conclusion


@pytest.mark.parametrize(
    ("changes", "conclusion"),
    [
        ({}, "PASS: nothing to report"),
        ({"tokenizer": tokenizer_facts(padding_side="right")}, "PASS (1 warning)"),
        ({"model": model_facts(embedding_rows=1)}, "FAIL (1 error)"),
    ],
)
def test_an_inspection_ends_in_one_sentence(changes: dict[str, object], conclusion: str) -> None:
    assert conclusion_of(report("inspect-tokenizer", **changes)) == conclusion


def test_a_fault_that_only_16_bit_has_is_the_sentence() -> None:
    found = report(precision=precision(*[2.0] * 20), **in_half("bfloat16", left=0.5))
    assert conclusion_of(found) == "FAIL: left padding adds to the errors of bfloat16 (1 error)"
    test = found.precision_test
    assert test is not None
    assert dict(wording.noise_floor(found))["left, all steps"] == (
        f"2 times as far from float32 as the prompts alone, at least {test.at_least:.3g} times with 99.9 % confidence "
        "(20 steps); up to 1.2 is rounding"
    )


@pytest.mark.parametrize(
    ("changes", "settings", "conclusion"),
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
            "PASS: left padding changes nothing, right padding does (1 warning)",
        ),
        (
            probes(left=0.5),
            JudgeSettings(),
            "FAIL: left padding changes what the model says (1 error)",
        ),
        (
            _differ(right=0.5),
            JudgeSettings(fail_on=Severity.WARNING),
            "FAIL by --fail-on warning: left padding changes nothing, right padding does (1 warning)",
        ),
    ],
    ids=["an error", "a known error", "a warning", "it fails", "a warning fails"],
)
def test_a_fault_is_not_called_a_pass_because_nothing_may_fail(
    changes: dict[str, object], settings: JudgeSettings, conclusion: str
) -> None:
    assert conclusion_of(report(settings=settings, **changes)) == conclusion


def test_what_did_not_run_is_not_called_a_pass() -> None:
    found = report(
        settings=JudgeSettings(fail_on=None), runs=runs(left=raised("left")), differences=differences(left=())
    )
    assert not conclusion_of(found).startswith("PASS")


@pytest.mark.parametrize(
    ("left", "outcome"),
    [
        (difference(0.0), "same tokens"),
        (difference(1e-5), "same tokens"),
        (difference(1e-5, flip=flip(0)), "differs from token 0 on (rounding)"),
        (difference(0.0, 0.5, flip=flip(1)), "differs from token 1 on"),
        (difference(0.5), "same tokens, but largest difference 0.5 (token 0), rounding explains up to 0.0002"),
        (difference(None), "same tokens, but NaN or infinity at token 0"),
    ],
)
def test_a_row_says_how_it_compares_to_the_same_prompt_alone(left: RowDifference, outcome: str) -> None:
    found = report(differences=differences(left=(UNPADDED, left)))
    assert [output.outcome for output in wording.outputs(found, 1)] == ["the reference", outcome, "same tokens"]


def test_a_row_without_a_reference_is_not_compared() -> None:
    found = report(runs=runs(single=raised(None)), differences={})
    assert [(output.arm, output.outcome) for output in wording.outputs(found, 0)] == [
        ("left", "not compared"),
        ("right", "not compared"),
    ]


@pytest.mark.parametrize(
    ("prompt_index", "changes", "titles"),
    [
        (0, {}, ["single, left, right"]),
        (1, {}, ["single", "left", "right"]),
        (0, {"right": run_result("right", rows=batch("right", new=(20, 30)))}, ["single, left", "right"]),
        (0, {"left": raised("left")}, ["single, right"]),
    ],
    ids=["no pads", "pads on either side", "another token", "an arm without rows"],
)
def test_arms_that_agree_in_every_column_are_shown_once(
    prompt_index: int, changes: dict[str, RunResult], titles: list[str]
) -> None:
    found = report(runs=runs(**changes))
    assert [title for title, _ in wording.columns(wording.outputs(found, prompt_index))] == titles


def test_arms_that_received_other_positions_are_shown_apart() -> None:
    odd = row(0, position_ids=(5, 6, 7, 8, None))
    found = report(runs=runs(left=run_result("left", rows=(odd, row(1, prompt=SHORT, num_pads=2)))))
    columns = wording.columns(wording.outputs(found, 0))
    assert [title for title, _ in columns] == ["single, right", "left"]
    assert columns[1][1] is odd


def test_arms_that_used_other_positions_are_shown_apart() -> None:
    odd = row(0, positions_used=(5, 6, 7, 8, None), positions_used_by="table")
    found = report(runs=runs(left=run_result("left", rows=(odd, row(1, prompt=SHORT, num_pads=2)))))
    assert [title for title, _ in wording.columns(wording.outputs(found, 0))] == ["single, right", "left"]


def test_the_header_names_what_was_run() -> None:
    assert wording.header(report()) == [
        ("model", "some/model, revision 0123456789ab"),
        ("architecture", "SomeForCausalLM (some), 1.23M parameters, pretrained weights"),
        ("position encoding", "rotary, 64 positions"),
        ("run", "float32 on cpu, attention sdpa, 2 new tokens, greedy"),
        ("versions", "padcheck 0.0, transformers 4.48, tokenizers 0.21, torch 2.4, Python 3.10"),
        (
            "this transformers",
            ", ".join(
                (
                    "gives pads the position 1",
                    "counts the new tokens of a right-padded row from its mask",
                    "does not warn of right padding",
                )
            ),
        ),
    ]


def test_what_this_transformers_does_is_told_as_far_as_it_was_seen() -> None:
    assert wording.behaviour({}) == ""
    assert wording.behaviour({"new_position_ids": "last column", "warns_of_missing_mask": "yes"}) == (
        "counts the new tokens of a right-padded row from its last column, warns of a missing mask"
    )


def test_the_header_of_an_inspection_leaves_out_what_needs_weights() -> None:
    assert [label for label, _ in wording.header(report("inspect-tokenizer"))] == [
        "model",
        "architecture",
        "position encoding",
        "versions",
    ]


@pytest.mark.parametrize(
    ("num_parameters", "count"),
    [(0, "0"), (999, "999"), (1_000, "1K"), (124_439_808, "124M"), (6_738_415_616, "6.74B"), (999_999, "1M")],
)
def test_parameters_are_counted_in_three_digits(num_parameters: int, count: str) -> None:
    header = dict(wording.header(report(model=model_facts(num_parameters=num_parameters))))
    assert f" {count} parameters" in header["architecture"]


def test_special_tokens_show_ids_and_the_tokenizers_own_spelling() -> None:
    found = evidence(
        tokenizer=tokenizer_facts(pad_token=None, bos_token=" <s>"),
        special_token_ids=SpecialTokenIds(
            tokenizer=TokenIds(bos=1, eos=(2,)), config=TokenIds(pad=0), generation_config=TokenIds(eos=(2, 7))
        ),
    )
    assert wording.special_tokens(found) == [
        ("pad", "None", "0", "None"),
        ("bos", "1 ␣<s>", "None", "None"),
        ("eos", "2 </s>", "None", "2, 7"),
    ]


def test_a_better_pad_token_is_named_where_there_is_one() -> None:
    suggestion = PadTokenSuggestion(token="<|pad|>", token_id=7, reason="by name")
    settings = dict(wording.tokenizer_settings(evidence(tokenizer=tokenizer_facts(pad_token_suggestion=suggestion))))
    assert settings["better pad token"] == "<|pad|> (7): by name"
    assert "better pad token" not in dict(wording.tokenizer_settings(evidence()))


def test_warnings_name_the_arm_that_made_the_libraries_say_them() -> None:
    found = evidence(load_warnings=("a\nb",), runs=runs(right=run_result("right", warnings=("use left", "again"))))
    assert wording.warnings(found) == [("loading", "a↵b"), ("right", "use left"), ("right", "again")]


def test_settings_are_written_like_arguments() -> None:
    assert wording.settings_text({"top_p": 0.9, "suffix": "\x1b"}) == r"top_p=0.9, suffix='\x1b'"
    assert wording.settings_text({}) == ""


def test_what_float32_says_does_not_stand_in_for_nan_or_an_error() -> None:
    broken = in_half("float16", left=None, left_float32=0.5)
    assert conclusion_of(report(**broken)).startswith("FAIL: left padding gives NaN or infinity")
    broken["runs"]["left"], broken["differences"]["left"] = raised("left"), ()
    assert conclusion_of(report(**broken)).startswith("FAIL: the left-padded batch did not run")


# Verdicts


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((difference(0.0, 0.0),), "same logits to the last bit"),
        ((difference(0.0, 1e-5),), "prompt 1: largest difference 1e-05 (token 1), rounding explains up to 0.0002"),
        (
            (difference(0.0, 1e-5, flip=flip(1)),),
            (
                "prompt 1: largest difference 1e-05 (token 1), rounding explains up to 0.0002: a near tie; "
                "token 1: alone ␣t20 by 1e-06, here ␣t30 by 2e-06"
            ),
        ),
        (
            (difference(0.0, 0.5),),
            "prompt 1: largest difference 0.5 (token 1), rounding explains up to 0.0002; KL 0.005",
        ),
        (
            (difference(0.0, 0.5, flip=flip(1, reference_margin=0.25, margin=1.5)),),
            (
                "prompt 1: largest difference 0.5 (token 1), rounding explains up to 0.0002; KL 0.005; "
                "token 1: alone ␣t20 by 0.25, here ␣t30 by 1.5"
            ),
        ),
        (
            (difference(0.5, 0.5), difference(0.0, 1e-5, flip=flip(1), prompt_index=2)),
            (
                "prompt 1: largest difference 0.5 (token 0), rounding explains up to 0.0002; KL 0.005; "
                "prompt 2, token 1: alone ␣t20 by 1e-06, here ␣t30 by 2e-06"
            ),
        ),
        (
            (difference(0.4, flip=flip(0)), difference(0.0, 0.5, flip=flip(1, token=" t40"), prompt_index=2)),
            (
                "prompt 2: largest difference 0.5 (token 1), rounding explains up to 0.0002; KL 0.005; "
                "token 1: alone ␣t20 by 1e-06, here ␣t40 by 2e-06"
            ),
        ),
        (
            (difference(0.0, None, flip=flip(1, reference_margin=None, margin=None)),),
            "prompt 1: NaN or infinity at token 1; token 1: alone ␣t20, here ␣t30",
        ),
    ],
    ids=[
        "identical",
        "rounding",
        "a near tie",
        "different",
        "another token",
        "another prompt flips",
        "both flip",
        "NaN",
    ],
)
def test_a_verdict_says_how_far_the_distributions_are_apart_and_which_tokens_compete(
    rows: tuple[RowDifference, ...], reason: str
) -> None:
    found = report(**gave(left=(unpadded_difference(0.0, 0.0), *rows)))
    [left] = [verdict for verdict in wording.verdicts(found) if verdict[0] == "left"]
    assert left[2] == reason


@pytest.mark.parametrize("changes", [{"token": HOSTILE}, {"reference_token": HOSTILE}])
def test_tokens_that_compete_are_spelled_out(changes: dict[str, str]) -> None:
    hostile: TokenFlip = flip(0, **changes)
    found = report(**gave(left=(UNPADDED, difference(0.5, flip=hostile))))
    [left] = [verdict for verdict in wording.verdicts(found) if verdict[0] == "left"]
    assert visible_token(HOSTILE) in left[2]
    assert HOSTILE not in left[2]


def test_the_sides_have_verdicts_and_the_others_are_probes() -> None:
    found = report(**probes(uncached=0.0))
    names = {description for description, _, _ in wording.probes(found)}
    assert [name for name, _, _ in wording.verdicts(found)] == ["left", "right"]
    assert names == set(found.comparisons) - {"left", "right"}


def test_of_a_model_in_16_bit_it_is_said_which_probes_did_not_run_in_float32() -> None:
    found = report(**in_half("bfloat16", uncached=0.0, left_float32=1e-6))
    names = {description for description, _, _ in wording.probes(found)}
    assert wording.probes_title(found) == "Probes, in float32"
    assert names == set(found.comparisons) - {"left", "right", "replayed"} | {"replayed (in bfloat16)"}
    assert wording.probes_title(report()) == "Probes"


def test_where_float32_is_not_possible_the_reason_is_said_and_the_probes_are_those_of_16_bit() -> None:
    changes = probes(**dict.fromkeys(CONTROLS, 9.0)) | {"model": model_facts(dtype="bfloat16")}
    error = "the model is quantized"
    refused = RunResult(reference="single_float32", dtype="float32", padding_side="left", error=error)
    changes["runs"] |= {"left_float32": refused}
    found = report(**changes)
    assert ("", "not in float32: the model is quantized") in wording.noise_floor(found)
    assert wording.probes_title(found) == "Probes"
    assert not [name for name, _, _ in wording.probes(found) if name.endswith("(in bfloat16)")]
    assert found.status == "pass"


def test_a_probe_says_how_far_it_is_from_what() -> None:
    broken = {"runs": runs(scrambled=raised("left")), "differences": differences(scrambled=(), forward_again=())}
    lines = {description or "scrambled": line for description, *line in wording.probes(report(**broken))}
    assert lines["scrambled"] == ["not run", "- from single"]
    assert lines["forward_again"] == ["not run", "- from forward"]
    assert lines["broken_mask"] == ["different", "0.5 from left_forward"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"left_out": ()}, ""),
        (
            {"left_out": ("shifted",)},
            "expensive, and not run since the others agree (--thorough runs them): shifted, more numbers of pads",
        ),
        ({"left_out": (), "sweep": sweep({1: 0.0, 33: 0.5})}, "prompt 0 also ran behind 2 numbers of pads, 1 to 33"),
        (
            {"left_out": (), "screen": sweep({1: 0.0, 16: 0.0, 9: 0.0})},
            "pieces of prompt 0 also ran behind 3 numbers of pads, 1 to 16",
        ),
        (
            {
                "left_out": (),
                "runs": runs(single=run_result(None, stand_in="forward()", rows=(row(0), row(1, stand_in="x")))),
            },
            "alone, forward() stands in for generate() of prompts 1",
        ),
        (
            {"left_out": (), "sweep": sweep({1: 0.0}, error=f"IndexError: {HOSTILE}")},
            f"prompt 0 also ran behind 1 number of pads, 1 to 1, then raised IndexError: {visible(HOSTILE)}",
        ),
        (
            {"left_out": (), "sweep": sweep({}, error="IndexError: no")},
            "prompt 0 also ran, then raised IndexError: no",
        ),
    ],
    ids=["all ran", "none was needed", "pads", "pieces", "a stand-in", "pads until it raised", "no pads at all"],
)
def test_what_is_said_of_the_other_probes(changes: dict[str, object], text: str) -> None:
    assert wording.other_probes(report(**changes)) == text


# What rounding does


def test_a_noise_floor_that_was_measured_says_in_which_ways() -> None:
    ways = noise(rounding_errors=0.02, float32_twin="0.1 GiB are needed", other_attention=0.03)
    found = report(noise=ways, **probes(batched=0.5, left=0.01, broken_mask=0.5))
    assert wording.noise_floor(found) == [
        ("measured", "logits move by up to 0.03 in float32"),
        ("", "0.02 by rounding_errors"),
        ("", "not by float32_twin: 0.1 GiB are needed"),
        ("", "0.03 by other_attention"),
        ("", "0 by one forward() in place of a cache"),
        ("", "0.5 by a whole batch of copies (more than rounding: not counted)"),
        (
            "allowed",
            (
                "2 × that, or 0.0001 + 1e-05 × largest logit (huggingface/transformers#25420; rounding <= 2e-5, "
                "faults >= 0.1) where that is more"
            ),
        ),
        ("left", "largest difference 0.01, rounding explains up to 0.06"),
    ]


def test_a_noise_floor_that_could_not_be_measured_is_a_bound() -> None:
    found = report(model=model_facts(dtype="bfloat16", num_layers=4), **probes(left=0.01, broken_mask=9.0))
    assert wording.noise_floor(found) == [
        ("allowed", "0.12 × largest logit (a bound for 4 layers)"),
        ("left", "largest difference 0.01, rounding explains up to 1.2"),
    ]


def test_a_noise_floor_that_the_user_gave_is_all_that_is_allowed() -> None:
    settings = JudgeSettings(atol=0.5, rtol=0.0)
    assert wording.noise_floor(report(settings=settings)) == [
        ("allowed", "0.5 + 0 × largest logit (given by the user)"),
        ("left", "largest difference 0, rounding explains up to 0.5"),
    ]
    measured = dict(wording.noise_floor(report(settings=settings, noise=noise(rounding_errors=0.02))))
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
def test_what_left_padding_needed_stands_beside_what_is_allowed(changes: dict[str, object], left: str | None) -> None:
    assert dict(wording.noise_floor(report(**changes))).get("left") == left


def test_a_tokenizer_has_no_noise_floor() -> None:
    assert wording.noise_floor(report("inspect-tokenizer")) == []


def test_advice_is_task_and_line() -> None:
    found = report()
    assert wording.advice(found) == [(advice.task, advice.line) for advice in found.advice]
    assert [task for task, _ in wording.advice(found)] == ["generating", "scoring", "training"]
