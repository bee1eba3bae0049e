import graphlib

import pytest

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.rules import RULES, Rule, find_rule
from padcheck.judging.rules.pad102_pad_token_is_eos_token import PadTokenIsEosToken
from padcheck.judging.rules.pad103_pad_token_is_special import PadTokenIsSpecial
from padcheck.judging.suppression import in_order, suppressed


def found(*codes: str, severity: Severity | None = None) -> dict[Rule, Finding]:
    rules = [rule for rule in RULES if rule.code in codes]
    return {rule: rule.found("what", fix="how", severity=severity) for rule in rules}


def covered(*codes: str, severity: Severity | None = None) -> dict[str, str]:
    return {rule.code: by for rule, by in suppressed(found(*codes, severity=severity)).items()}


def test_each_rule_comes_after_those_that_suppress_it() -> None:
    order = [rule.code for rule in in_order(RULES)]
    assert sorted(order) == [rule.code for rule in RULES]
    for rule in RULES:
        assert all(order.index(code) < order.index(rule.code) for code in rule.suppressed_by)


def test_a_circle_is_an_error() -> None:
    class Circular(PadTokenIsEosToken):
        suppressed_by = ("PAD103",)

    with pytest.raises(graphlib.CycleError):
        in_order((Circular(), PadTokenIsSpecial()))


def test_a_finding_is_covered_by_one_that_its_rule_names() -> None:
    assert covered("PAD102", "PAD103") == {"PAD103": "PAD102"}
    assert covered("PAD103", "PAD201") == {}


@pytest.mark.parametrize(("severity", "is_covered"), [(Severity.ERROR, True), (Severity.WARNING, False)])
def test_a_finding_that_is_less_severe_than_the_rule_covers_nothing(severity: Severity, is_covered: bool) -> None:
    milder = found("PAD208", severity=severity) | found("PAD201")
    assert (find_rule("PAD201") in suppressed(milder)) is is_covered


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("PAD203", "PAD207", "PAD304"), {"PAD203": "PAD304", "PAD304": "PAD207"}),
        (("PAD205", "PAD302", "PAD305"), {"PAD205": "PAD305", "PAD305": "PAD302"}),
    ],
)
def test_a_cause_still_suppresses_if_it_is_suppressed(codes: tuple[str, ...], expected: dict[str, str]) -> None:
    assert covered(*codes) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("PAD201", "PAD208", "PAD404"), {"PAD201": "PAD208"}),
        (("PAD104", "PAD902", "PAD903"), {"PAD902": "PAD104"}),
    ],
)
def test_a_symptom_does_not_suppress_if_it_is_suppressed(codes: tuple[str, ...], expected: dict[str, str]) -> None:
    assert covered(*codes, severity=Severity.ERROR) == expected


def test_the_finding_that_is_named_is_one_that_is_reported() -> None:
    assert covered("PAD301", "PAD302", "PAD304") == {"PAD301": "PAD304", "PAD302": "PAD304"}
