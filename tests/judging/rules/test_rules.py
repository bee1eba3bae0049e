import inspect
from pathlib import Path

import pytest
from builders import ask, differences, evidence, in_half, in_modes, runs, tokenizer_evidence, without
from msgspec.structs import replace

from padcheck.core.run_plans import RUN_PLANS
from padcheck.core.settings import JudgeSettings
from padcheck.core.verdicts import Skipped
from padcheck.judging.compare import open_case
from padcheck.judging.judge import judge
from padcheck.judging.rules import RULES, Rule

PROMISED = {
    "PAD101": "missing-pad-token",
    "PAD102": "pad-token-is-eos-token",
    "PAD103": "pad-token-is-special",
    "PAD104": "pad-token-id-out-of-range",
    "PAD105": "special-token-ids-disagree",
    "PAD106": "tokenizer-pads-right",
    "PAD107": "padding-side-ignored",
    "PAD108": "padding-side-rejected",
    "PAD109": "pad-token-in-text",
    "PAD110": "double-bos",
    "PAD111": "padding-saved-in-tokenizer",
    "PAD112": "length-limit",
    "PAD113": "embedding-rows-mismatch",
    "PAD201": "left-padding-changes-output",
    "PAD202": "right-padding-continues-from-pad",
    "PAD203": "attention-mask-required",
    "PAD204": "non-finite-logits",
    "PAD205": "depends-on-pad-count",
    "PAD206": "depends-on-batch",
    "PAD207": "known-limit",
    "PAD208": "generate-differs-from-forward",
    "PAD301": "pads-leak",
    "PAD302": "positions-count-padding",
    "PAD303": "wrong-after-prefill",
    "PAD304": "mask-ignored",
    "PAD305": "slots-anchored",
    "PAD401": "forward-needs-position-ids",
    "PAD402": "right-padded-scores-differ",
    "PAD403": "labels-lose-eos",
    "PAD404": "left-padded-scores-differ",
    "PAD406": "packed-rows-leak",
    "PAD901": "no-padding",
    "PAD902": "arm-not-run",
    "PAD903": "control-not-seen",
}
SECTIONS = ["Why it matters:", "How padcheck knows:", "Fix:", "References:"]

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def test_codes_and_names_stay_as_promised() -> None:
    """A new rule needs no line here: its code and name are those of its file."""
    assert PROMISED.items() <= {rule.code: rule.name for rule in RULES}.items()


def test_codes_are_unique_and_ascend() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))


def test_every_rule_has_a_file_of_tests() -> None:
    tested = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_pad*.py")}
    assert tested == {_file_name(rule) for rule in RULES}


@every_rule
def test_the_file_is_named_after_code_and_name(rule: Rule) -> None:
    assert Path(inspect.getfile(type(rule))).stem == _file_name(rule)


@every_rule
def test_the_file_begins_with_code_and_title(rule: Rule) -> None:
    assert inspect.getmodule(type(rule)).__doc__ == f"{rule.code}: {rule.title()}"


@every_rule
def test_the_class_is_named_after_the_name(rule: Rule) -> None:
    assert type(rule).__name__ == rule.name.title().replace("-", "")


@every_rule
def test_the_docstring_has_the_four_sections_in_order(rule: Rule) -> None:
    lines = rule.documentation().splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [rule.title(), *SECTIONS]
    assert all(lines[lines.index(section) + 1].strip() for section in SECTIONS)


@every_rule
def test_the_title_is_one_sentence_on_one_line(rule: Rule) -> None:
    assert rule.title().endswith(".")
    assert rule.documentation().splitlines()[1] == ""


@every_rule
def test_a_rule_is_suppressed_only_by_other_rules(rule: Rule) -> None:
    assert set(rule.suppressed_by) <= {other.code for other in RULES if other is not rule}


@every_rule
@pytest.mark.parametrize("state", ["missing", "raised", "in a later batch", "without a reference"])
def test_a_rule_is_undecided_without_a_run_that_it_reads(rule: Rule, state: str) -> None:
    changes = {
        "missing": ({}, "did not run"),
        "raised": ({"rows": (), "error": "ValueError: no"}, "raised: ValueError: no"),
        "in a later batch": ({"error": "ValueError: no"}, "raised: ValueError: no"),
        "without a reference": ({}, "has no row to compare"),
    }
    change, why = changes[state]
    for each in rule.reads:
        names = each if isinstance(each, tuple) else (each,)
        if state == "missing" and all(RUN_PLANS[name].for_training for name in names):
            continue  # such a run was not asked for
        ran = {name: replace(run, **change) if name in names else run for name, run in runs().items()}
        measured = differences()
        if state == "missing":
            ran = {name: run for name, run in ran.items() if name not in names}
        if state != "in a later batch":
            measured = {name: rows for name, rows in measured.items() if name not in names}
        outcome = ask(rule, runs=ran, differences=measured)
        assert outcome == Skipped(code=rule.code, reason=f"undecided: the run {names[0]} {why}")


def test_of_alternative_runs_one_is_enough() -> None:
    case, _ = open_case(evidence(**without("left")))
    assert case.undecided((("left", "right"),)) is None
    assert case.undecided(("right", "left")) == "undecided: the run left did not run"


@pytest.mark.parametrize("fires", [evidence, tokenizer_evidence], ids=["compare", "inspect-tokenizer"])
def test_healthy_evidence_raises_no_finding(fires) -> None:
    command = "compare" if fires is evidence else "inspect-tokenizer"
    assert judge(command, fires(), JudgeSettings()).findings == ()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_healthy_evidence_in_16_bit_raises_no_finding(dtype: str) -> None:
    assert judge("compare", evidence(**in_half(dtype)), JudgeSettings()).findings == ()


@pytest.mark.parametrize("changes", [{}, in_half()], ids=["float32", "bfloat16"])
def test_on_a_healthy_model_every_rule_is_decided_except_those_about_modes(changes: dict[str, object]) -> None:
    skipped = judge("compare", evidence(**changes), JudgeSettings()).skipped
    assert [each.code for each in skipped] == ["PAD209", "PAD210", "PAD211"]
    assert {each.reason for each in skipped} == {"no mode was asked for (--with)"}


def test_if_modes_were_asked_for_the_rules_about_them_are_decided_too() -> None:
    assert judge("compare", evidence(**in_modes("static-cache", "second-turn")), JudgeSettings()).skipped == ()


def test_without_a_model_the_rules_about_runs_say_that_they_were_not_decided() -> None:
    report = judge("inspect-tokenizer", tokenizer_evidence(), JudgeSettings())
    about_runs = [rule.code for rule in RULES if rule.code.startswith(("PAD2", "PAD3", "PAD4"))]
    without_runs = {"PAD207", "PAD403"}  # PAD207 needs a run only if the model type has a known limit
    assert {skipped.reason for skipped in report.skipped if skipped.code != "PAD204"} == {
        "undecided: only the tokenizer was inspected"
    }
    assert [skipped.code for skipped in report.skipped] == [code for code in about_runs if code not in without_runs]


def _file_name(rule: Rule) -> str:
    return f"{rule.code}_{rule.name}".lower().replace("-", "_")
