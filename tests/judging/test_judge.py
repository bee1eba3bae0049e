import msgspec
import pytest
from builders import (
    difference,
    differences,
    evidence,
    flip,
    gave,
    in_half,
    model_facts,
    no_padding,
    probes,
    raised,
    report,
    rows_of,
    runs,
    special_token_ids,
    sweep,
    token_ids,
    tokenizer_facts,
    unpadded_difference,
    without,
)

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.run_plans import SINGLE
from padcheck.core.run_results import RowDifference, RunResult
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Comparison, Verdict
from padcheck.judging.compare import open_case
from padcheck.judging.rules import RULES

ALLOWED = 2e-4
"""float32, at the builders' logit scale of 10."""
EXACT = {"atol": 0.0, "rtol": 0.0}
UNPADDED = unpadded_difference(0.0)
LEFT_DIFFERS = {"differences": differences(left=(UNPADDED, difference(0.5)))}
RIGHT_DIFFERS = {"differences": differences(right=(UNPADDED, difference(0.5)))}


def _left(*rows: RowDifference, atol: float | None = None, rtol: float | None = None, **changes: object) -> Comparison:
    case, _ = open_case(evidence(**{"differences": differences(left=rows)} | changes), atol, rtol)
    return case.comparisons["left"]


def _codes(**changes: object) -> list[str]:
    return [finding.code for finding in report(**changes).findings]


# Verdicts


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (difference(0.0, 0.0), Verdict.IDENTICAL),
        (difference(0.0, 1e-5), Verdict.EQUIVALENT),
        (difference(ALLOWED), Verdict.EQUIVALENT),
        (difference(ALLOWED * 1.01), Verdict.DIFFERENT),
        (difference(0.0, 0.5, 0.0), Verdict.DIFFERENT),
        (difference(0.5, None), Verdict.NON_FINITE),
    ],
)
def test_a_row_is_judged_by_its_worst_step(row: RowDifference, verdict: Verdict) -> None:
    assert _left(row).verdict is verdict


@pytest.mark.parametrize(
    ("diff", "verdict"),
    [(1e-9, Verdict.EQUIVALENT), (1e-5, Verdict.DIFFERENT), (0.5, Verdict.DIFFERENT)],
)
def test_the_worst_step_is_the_one_that_uses_up_most_of_its_own_allowance(diff: float, verdict: Verdict) -> None:
    small_logits = difference(0.0, diff).steps[1]
    large_logits = difference(1e-3, logit_scale=1000.0).steps[0]
    steps = (large_logits, type(small_logits)(max_abs_diff=diff, kl=0.0, logit_scale=0.1))
    row = RowDifference(prompt_index=1, num_pad_tokens=2, steps=steps)
    compared = _left(row, atol=0.0, rtol=1e-5)
    assert compared.verdict is verdict
    assert compared.rows[0].step == (0 if verdict is Verdict.EQUIVALENT else 1)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ((difference(0.0), difference(1e-5)), Verdict.EQUIVALENT),
        ((difference(0.5), difference(1e-5)), Verdict.DIFFERENT),
        ((difference(None), difference(0.5)), Verdict.NON_FINITE),
    ],
)
def test_a_run_is_judged_by_its_worst_row(rows: tuple[RowDifference, ...], verdict: Verdict) -> None:
    assert _left(*rows).verdict is _left(*reversed(rows)).verdict is verdict


def test_the_numbers_of_a_run_are_those_of_its_worst_row() -> None:
    compared = _left(UNPADDED, difference(0.0, 0.25, logit_scale=20.0), difference(1e-5, prompt_index=2))
    assert compared.reference == "single"
    assert compared.max_abs_diff == 0.25
    assert compared.max_kl == pytest.approx(0.0025)
    assert compared.allowed == pytest.approx(3e-4)
    assert compared.reason == "prompt 1: largest difference 0.25 (token 1), rounding explains up to 0.0003"
    assert [row.verdict for row in compared.rows] == [Verdict.IDENTICAL, Verdict.DIFFERENT, Verdict.EQUIVALENT]


def test_among_rows_of_one_verdict_the_larger_difference_speaks() -> None:
    assert _left(difference(0.2), difference(0.4), difference(0.3)).max_abs_diff == 0.4


def test_the_reason_of_a_single_row_names_no_prompt() -> None:
    assert _left(difference(0.0)).reason == "same logits to the last bit"


def test_the_place_of_a_nan_is_named_and_its_number_is_none() -> None:
    compared = _left(difference(0.0, None))
    assert compared.reason == "NaN or infinity at token 1"
    assert compared.max_abs_diff is None
    assert compared.max_kl == 0.0


def test_a_token_that_flips_within_rounding_is_equivalent() -> None:
    compared = _left(difference(0.0, 1e-5, flip=flip(1)))
    assert compared.verdict is Verdict.EQUIVALENT
    assert compared.first_different_token == 1
    assert compared.reason == "largest difference 1e-05 (token 1), rounding explains up to 0.0002: a near tie"
    assert compared.rows[0].flip == flip(1)


def test_a_difference_within_rounding_says_how_far_and_where() -> None:
    compared = _left(difference(1e-6, 1e-5))
    assert compared.reason == "largest difference 1e-05 (token 1), rounding explains up to 0.0002"
    assert compared.rows[0].flip is None


def test_a_token_that_flips_beyond_rounding_is_different() -> None:
    compared = _left(difference(0.0, 0.5, flip=flip(1)))
    assert compared.verdict is Verdict.DIFFERENT
    assert compared.first_different_token == 1
    assert compared.reason == "largest difference 0.5 (token 1), rounding explains up to 0.0002"
    assert compared.rows[0].flip == flip(1)


def test_the_first_different_token_of_a_run_is_the_earliest_of_its_rows() -> None:
    rows = (difference(0.0), difference(*[0.5] * 4, flip=flip(3)), difference(0.0, 1e-5, flip=flip(1)))
    assert _left(*rows).first_different_token == 1


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (raised("left", "ValueError: no"), "ValueError: no"),
        (RunResult(reference=SINGLE, padding_side="left"), "the run single has no row to compare with"),
    ],
)
def test_a_run_without_rows_was_not_run(run: RunResult, reason: str) -> None:
    compared = _left(runs=runs(left=run))
    assert compared.verdict is Verdict.NOT_RUN
    assert compared.reason.startswith(reason)
    assert compared.max_abs_diff is compared.allowed is None


def test_a_run_that_raised_in_a_later_batch_was_not_run_and_keeps_its_rows() -> None:
    broken = RunResult(reference=SINGLE, padding_side="left", rows=runs()["left"].rows, error="ValueError: later")
    compared = _left(UNPADDED, difference(0.0), runs=runs(left=broken))
    assert compared.verdict is Verdict.NOT_RUN
    assert len(compared.rows) == 2


# Tolerances


@pytest.mark.parametrize(
    ("dtype", "verdict"),
    [
        ("float64", Verdict.DIFFERENT),
        ("float32", Verdict.DIFFERENT),
        ("float16", Verdict.EQUIVALENT),
        ("bfloat16", Verdict.EQUIVALENT),
    ],
)
def test_the_tolerance_is_that_of_the_dtype(dtype: str, verdict: Verdict) -> None:
    found = report(model=model_facts(dtype=dtype), differences=differences(left=(UNPADDED, difference(0.01))))
    assert found.comparisons["left"].verdict is verdict
    assert found.noise_floor is not None
    assert found.noise_floor.dtype == dtype


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        (JudgeSettings(atol=1.0), 1.0 + 1e-5 * 10),
        (JudgeSettings(rtol=1.0), 1e-4 + 10),
        (JudgeSettings(atol=1.0, rtol=0.0), 1.0),
    ],
)
def test_the_users_tolerance_comes_before_the_tables(settings: JudgeSettings, allowed: float) -> None:
    found = report(settings=settings, **LEFT_DIFFERS)
    assert found.comparisons["left"].verdict is Verdict.EQUIVALENT
    assert found.comparisons["left"].allowed == pytest.approx(allowed)
    assert found.noise_floor is not None
    assert found.noise_floor.source == "given by the user"


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (difference(0.0), Verdict.IDENTICAL),
        (difference(1e-30), Verdict.DIFFERENT),
        (difference(None), Verdict.NON_FINITE),
        (difference(1e-30, None), Verdict.NON_FINITE),
    ],
)
def test_if_nothing_is_allowed_only_identical_passes(row: RowDifference, verdict: Verdict) -> None:
    assert _left(row, **EXACT).verdict is verdict


def test_a_report_can_be_made_if_nothing_is_allowed() -> None:
    rows = (unpadded_difference(1e-9), difference(1e-9))
    found = report(settings=JudgeSettings(atol=0.0, rtol=0.0), differences=differences(left=rows, right=rows))
    assert found.status == "fail"


# Status and exit code


def test_a_healthy_model_passes() -> None:
    found = report()
    assert (found.status, found.exit_code) == ("pass", ExitCode.OK)


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        (LEFT_DIFFERS, Severity.ERROR),
        (RIGHT_DIFFERS, Severity.WARNING),
        ({"model": model_facts(embedding_rows=128)}, Severity.INFO),
    ],
    ids=["error", "warning", "info"],
)
@pytest.mark.parametrize("fail_on", [Severity.ERROR, Severity.WARNING, Severity.INFO, None])
def test_a_finding_fails_from_the_severity_on_that_is_asked_for(
    changes: dict[str, object], severity: Severity, fail_on: Severity | None
) -> None:
    found = report(settings=JudgeSettings(fail_on=fail_on), **changes)
    fails = fail_on is not None and severity.rank >= fail_on.rank
    assert [finding.severity for finding in found.findings] == [severity]
    assert (found.status, found.exit_code) == (("fail", ExitCode.FINDINGS) if fails else ("pass", ExitCode.OK))


@pytest.mark.parametrize("fail_on", [*Severity, None])
@pytest.mark.parametrize(
    "changes",
    [
        no_padding(),
        no_padding() | {"model": model_facts(embedding_rows=1)},
    ],
    ids=["nothing else", "an error besides"],
)
def test_without_padding_nothing_was_measured(changes: dict[str, object], fail_on: Severity | None) -> None:
    found = report(settings=JudgeSettings(fail_on=fail_on), **changes)
    assert "PAD901" in [finding.code for finding in found.findings]
    assert (found.status, found.exit_code) == ("not_measured", ExitCode.NOT_MEASURED)


@pytest.mark.parametrize("settings", [JudgeSettings(ignore={"PAD9": "why"}), JudgeSettings(select=("PAD1",))])
def test_leaving_a_rule_out_does_not_turn_nothing_into_a_pass(settings: JudgeSettings) -> None:
    assert report(settings=settings, **no_padding()).status == "not_measured"


@pytest.mark.parametrize(
    ("broken", "fail_on", "status"),
    [
        ({"right": raised("right")}, Severity.ERROR, "pass"),
        ({"right": raised("right")}, Severity.WARNING, "fail"),
        ({"left": raised("left")}, Severity.ERROR, "fail"),
        ({"single": raised(None)}, Severity.ERROR, "not_measured"),
        ({"single": raised(None)}, None, "not_measured"),
        ({"left": raised("left"), "right": raised("right")}, Severity.ERROR, "fail"),
        ({"left": raised("left"), "right": raised("right")}, None, "not_measured"),
    ],
)
def test_what_a_run_that_raised_means(broken: dict[str, RunResult], fail_on: Severity | None, status: str) -> None:
    compared = {} if "single" in broken else {name: rows for name, rows in differences().items() if name not in broken}
    found = report(settings=JudgeSettings(fail_on=fail_on), runs=runs(**broken), differences=compared)
    assert [finding.code for finding in found.findings] == ["PAD902"]
    assert found.status == status


def test_without_any_run_nothing_was_measured() -> None:
    assert report(runs={}, differences={}).status == "not_measured"


CONTROL_NOT_SEEN = probes(broken_mask=1e-6)


@pytest.mark.parametrize("fail_on", [*Severity, None])
def test_a_control_that_is_not_seen_means_that_nothing_was_measured(fail_on: Severity | None) -> None:
    found = report(settings=JudgeSettings(fail_on=fail_on), **CONTROL_NOT_SEEN)
    assert [finding.code for finding in found.findings] == ["PAD903"]
    assert (found.status, found.exit_code) == ("not_measured", ExitCode.NOT_MEASURED)


@pytest.mark.parametrize("fail_on", [*Severity, None])
@pytest.mark.parametrize(
    "leave_out", [{"ignore": {"PAD903": "why"}}, {"select": ("PAD1",)}], ids=["ignored", "not selected"]
)
def test_leaving_the_control_out_does_not_turn_it_into_a_pass(
    leave_out: dict[str, object], fail_on: Severity | None
) -> None:
    found = report(settings=JudgeSettings(fail_on=fail_on, **leave_out), **CONTROL_NOT_SEEN)
    assert found.findings == ()
    assert (found.status, found.exit_code) == ("not_measured", ExitCode.NOT_MEASURED)


@pytest.mark.parametrize(("fail_on", "status"), [(Severity.ERROR, "fail"), (None, "pass")])
def test_if_left_padding_is_wrong_something_was_measured(fail_on: Severity | None, status: str) -> None:
    found = report(settings=JudgeSettings(fail_on=fail_on), **probes(broken_mask=0.0, left=0.5))
    assert [finding.code for finding in found.findings] == ["PAD201"]
    assert found.status == status


def test_evidence_without_a_control_can_be_a_pass() -> None:
    assert report(**without("broken_mask")).status == "pass"


def test_a_fault_that_shows_only_in_float32_fails() -> None:
    found = report(**in_half("bfloat16", left=0.5, left_float32=0.5))
    assert [finding.code for finding in found.findings] == ["PAD201"]
    assert (found.status, found.exit_code) == ("fail", ExitCode.FINDINGS)
    assert found.comparisons["left"].verdict is Verdict.EQUIVALENT
    assert found.comparisons["left_float32"].verdict is Verdict.DIFFERENT


def test_a_tokenizer_is_measured_without_runs() -> None:
    found = report("inspect-tokenizer")
    assert (found.status, found.exit_code) == ("pass", ExitCode.OK)
    assert found.comparisons == {}
    assert found.noise_floor is None


def test_a_tokenizers_error_fails_its_inspection() -> None:
    assert report("inspect-tokenizer", model=model_facts(embedding_rows=1)).status == "fail"


# Rules


def test_findings_come_gravest_first_and_then_by_code() -> None:
    found = report(
        tokenizer=tokenizer_facts(padding_side="right", saved_padding=True),
        generation_config={"max_length": 20},
        **LEFT_DIFFERS,
    )
    assert [finding.code for finding in found.findings] == ["PAD201", "PAD106", "PAD111", "PAD112"]


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        (JudgeSettings(), ["PAD202", "PAD106", "PAD111"]),
        (JudgeSettings(select=("PAD1",)), ["PAD106", "PAD111"]),
        (JudgeSettings(select=("PAD106", "PAD2")), ["PAD106", "PAD202"]),
        (JudgeSettings(ignore={"PAD1": "why"}), ["PAD202"]),
        (JudgeSettings(select=("PAD1",), ignore={"PAD11": "why"}), ["PAD106"]),
        (JudgeSettings(ignore={"PAD": "why"}), []),
    ],
)
def test_select_and_ignore_take_prefixes(settings: JudgeSettings, codes: list[str]) -> None:
    changes = {"tokenizer": tokenizer_facts(padding_side="right", saved_padding=True)} | RIGHT_DIFFERS
    found = report(settings=settings, **changes)
    assert sorted(finding.code for finding in found.findings) == sorted(codes)


def test_a_rule_that_is_left_out_says_so() -> None:
    skipped = report(settings=JudgeSettings(ignore={"PAD2": "why"})).skipped
    assert [rule.code for rule in skipped] == [rule.code for rule in RULES if rule.code.startswith("PAD2")]
    assert {rule.reason for rule in skipped} == {"why"}


@pytest.mark.parametrize("option", ["select", "ignore"])
@pytest.mark.parametrize("prefix", ["PAD7", "PAD1011", "pad1", "E501"])
def test_a_prefix_that_names_no_rule_is_a_usage_error(option: str, prefix: str) -> None:
    prefixes = {"PAD1": "why", prefix: "why"}
    with pytest.raises(UsageError, match=f"--{option} {prefix} names no rule"):
        report(settings=JudgeSettings(**{option: tuple(prefixes) if option == "select" else prefixes}))


PAD_IS_EOS_AND_BOS = {
    "tokenizer": tokenizer_facts(bos_token_id=0, eos_token_id=0),
    "special_token_ids": special_token_ids(tokenizer=token_ids(bos=0, eos=(0,))),
}


def test_a_rule_that_another_finding_covers_is_skipped() -> None:
    found = report(**PAD_IS_EOS_AND_BOS)
    assert "PAD103" not in [finding.code for finding in found.findings]
    assert ("PAD103", "covered by PAD102") in [(rule.code, rule.reason) for rule in found.skipped]


def test_a_rule_is_not_suppressed_by_a_rule_that_is_ignored() -> None:
    assert "PAD103" in _codes(settings=JudgeSettings(ignore={"PAD102": "why"}), **PAD_IS_EOS_AND_BOS)


# Suppression


BLOCKS_OF_FOUR = sweep({1: 0.2, 2: 0.5, 3: 0.3, 4: 0.0, 5: 0.2, 8: 0.0})
FINDINGS: dict[str, dict[str, object]] = {
    "PAD201": probes(left=0.5),
    "PAD203": probes(left_no_mask=0.5),
    "PAD205": probes(left=0.5) | {"sweep": sweep({1: 0.0, 2: 0.5})},
    "PAD208": probes(forward=0.5),
    "PAD301": probes(left=0.5, scrambled=0.5),
    "PAD302": probes(left=0.5, shifted=0.0),
    "PAD303": gave(left=rows_of("left", 0.0, 0.5)),
    "PAD304": probes(left=0.5, left_alone=0.5, left_forward_no_mask=0.0),
    "PAD305": probes(left=0.5) | {"sweep": BLOCKS_OF_FOUR},
    "PAD402": probes(right_forward=0.5),
    "PAD903": probes(broken_mask=0.0),
}
BATCH_MATTERS = {"batched": rows_of("batched", 0.5)}
MASK_IGNORED = {
    "left": rows_of("left", 0.5),
    "left_alone": rows_of("left_alone", 0.5),
    "left_forward_no_mask": rows_of("left_forward_no_mask", 0.0),
}
PADS_SEEN = {"scrambled": rows_of("scrambled", 0.5)}
KNOWN = {"model": model_facts(model_type="trocr")}


def _with(code: str, **changes: tuple[RowDifference, ...]) -> dict[str, object]:
    changes_of = FINDINGS[code]
    measured = changes_of["differences"]
    assert isinstance(measured, dict)
    return changes_of | {"differences": measured | changes}


def _reasons(**changes: object) -> dict[str, str]:
    return {rule.code: rule.reason for rule in report(**changes).skipped}


@pytest.mark.parametrize("code", FINDINGS)
def test_each_finding_is_reported_if_no_other_covers_it(code: str) -> None:
    assert code in _codes(**FINDINGS[code])


@pytest.mark.parametrize("code", [code for code in FINDINGS if code != "PAD304"])
def test_a_batch_that_matters_without_pads_covers_the_findings_about_padding(code: str) -> None:
    changes = _with(code, **BATCH_MATTERS)
    assert _reasons(**changes)[code] == "covered by PAD206"
    assert code in _codes(settings=JudgeSettings(ignore={"PAD206": "why"}), **changes)


@pytest.mark.parametrize("code", [code for code in FINDINGS if code != "PAD304"])
@pytest.mark.parametrize(
    "settings", [JudgeSettings(), JudgeSettings(ignore={"PAD206": "why"}), JudgeSettings(fail_on=Severity.WARNING)]
)
def test_rows_that_depend_on_their_batch_by_construction_leave_nothing_to_judge(
    code: str, settings: JudgeSettings
) -> None:
    model = msgspec.structs.replace(
        FINDINGS[code].get("model", model_facts()), batch_dependent="its columns are shared"
    )
    found = report(settings=settings, **_with(code, **BATCH_MATTERS) | {"model": model})
    assert found.status == "not_measured"
    assert code not in [finding.code for finding in found.findings]
    reasons = {skipped.code: skipped.reason for skipped in found.skipped}
    assert reasons[code] == "rows depend on their batch by construction"


def test_rows_that_may_depend_on_their_batch_and_do_not_are_judged() -> None:
    assert report(model=model_facts(batch_dependent="its columns are shared")).status == "pass"


@pytest.mark.parametrize("code", ["PAD201", "PAD205", "PAD301", "PAD302", "PAD303", "PAD304", "PAD305"])
def test_a_known_limit_covers_its_symptoms_and_causes(code: str) -> None:
    changes = FINDINGS[code] | KNOWN
    assert _codes(**changes) == ["PAD207"]
    assert _reasons(**changes)[code] == "covered by PAD207"


def test_a_limit_that_does_not_show_covers_nothing() -> None:
    found = report(**probes(scrambled=0.5) | KNOWN)
    assert {finding.code: finding.severity for finding in found.findings} == {
        "PAD301": Severity.ERROR,
        "PAD207": Severity.INFO,
    }


def test_a_limit_is_no_surprise_if_other_pad_counts_are_wrong() -> None:
    changes = {"sweep": sweep({1: 0.0, 2: 0.5})} | KNOWN
    assert _codes(**changes) == ["PAD205"]
    assert _reasons(**changes)["PAD207"] == "left padding is wrong for another reason than the limit"


@pytest.mark.parametrize(
    ("covering", "code", "changes"),
    [
        ("PAD305", "PAD205", FINDINGS["PAD305"]),
        ("PAD304", "PAD203", _with("PAD203", **MASK_IGNORED)),
        ("PAD304", "PAD301", _with("PAD301", **MASK_IGNORED)),
        ("PAD304", "PAD302", _with("PAD302", **MASK_IGNORED)),
        ("PAD304", "PAD305", _with("PAD305", **MASK_IGNORED)),
    ],
)
def test_a_cause_covers_what_follows_from_it(covering: str, code: str, changes: dict[str, object]) -> None:
    assert covering in _codes(**changes)
    assert _reasons(**changes)[code] == f"covered by {covering}"
    assert code in _codes(settings=JudgeSettings(ignore={covering: "why"}), **changes)


@pytest.mark.parametrize(("code", "codes"), [("PAD302", []), ("PAD305", ["PAD205"])])
def test_pads_that_are_seen_are_the_only_cause(code: str, codes: list[str]) -> None:
    assert _codes(**_with(code, **PADS_SEEN)) == ["PAD201", *codes, "PAD301"]


def test_a_mask_that_is_ignored_is_the_only_cause() -> None:
    changes = _with("PAD301", left_no_mask=rows_of("left_no_mask", 0.0), **MASK_IGNORED)
    assert _codes(**changes) == ["PAD201", "PAD304"]


def test_a_cache_that_is_wrong_without_padding_is_the_only_finding() -> None:
    rows = {"left": rows_of("left", 0.0, 0.5), "uncached": rows_of("uncached", 0.0, 0.5)}
    found = report(**gave(**rows))
    assert [finding.code for finding in found.findings] == ["PAD208"]
    assert (found.status, found.exit_code) == ("fail", ExitCode.FINDINGS)
    reasons = {rule.code: rule.reason for rule in found.skipped if "mode" not in rule.reason}
    assert reasons == dict.fromkeys(("PAD201", "PAD303"), "covered by PAD208") | dict.fromkeys(
        ("PAD205", "PAD305"), "undecided: the sweep over pad counts did not run"
    )
    ignored = report(settings=JudgeSettings(ignore={"PAD208": "why"}), **gave(**rows))
    assert {"PAD201", "PAD303"} <= {finding.code for finding in ignored.findings}


def test_a_run_that_raised_is_reported_although_a_config_names_an_id_without_a_row() -> None:
    # PAD104 is then a warning about a config, and not the reason why the run raised.
    ids = special_token_ids(config=token_ids(pad=-1))
    found = report(special_token_ids=ids, runs=runs(left=raised("left")), differences=differences(left=()))
    assert "PAD902" in [finding.code for finding in found.findings]
    assert found.status == "fail"
