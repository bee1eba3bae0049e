"""The baseline: known findings do not fail, new or more severe ones do, and findings that are gone are named."""

import pytest
from builders import (
    check,
    difference,
    differences,
    no_padding,
    report,
    tokenizer_facts,
    unmeasured,
    unpadded_difference,
)

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import KnownFinding
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.judging import baseline
from padcheck.judging.baseline import Baseline
from padcheck.running.judge_again import accept, judge_again

WRONG = (unpadded_difference(0.0), difference(0.5))
FAILING = {"differences": differences(left=WRONG, right=WRONG)}
STRICT = JudgeSettings(fail_on=Severity.WARNING)


def known(code, severity, model="some/model"):
    return KnownFinding(model=model, code=code, severity=severity)


def judged(**codes):
    return report(settings=JudgeSettings(known=codes), **FAILING)


def test_what_is_known_does_not_fail_and_says_so():
    assert report(**FAILING).status == "fail"
    found = judged(PAD201=Severity.ERROR)
    assert found.status == "pass"
    assert {each.code: each.known for each in found.findings}["PAD201"] is True


def test_a_finding_more_severe_than_the_known_one_is_new():
    assert judged(PAD201=Severity.WARNING).status == "fail"


def test_a_known_finding_of_another_code_does_not_count():
    assert judged(PAD202=Severity.ERROR).status == "fail"


def test_a_model_that_was_not_measured_does_not_pass_whatever_is_known():
    found = report(settings=JudgeSettings(known={"PAD901": Severity.ERROR}), prompts=("one",), runs={}, differences={})
    assert found.status == "not_measured"


def test_each_model_has_its_own_known_findings():
    both = Baseline(findings=(known("PAD201", Severity.ERROR), known("PAD202", Severity.WARNING, "another")))
    assert both.of("some/model") == {"PAD201": Severity.ERROR}
    assert both.of("a third") == {}


def test_it_is_written_and_read(tmp_path):
    path = tmp_path / "known.json"
    written = Baseline(findings=(known("PAD201", Severity.ERROR),))
    path.write_text(baseline.dump(written), encoding="utf-8")
    assert baseline.read(path, may_be_new=False) == written
    assert baseline.dump(written).endswith("}\n")


def test_an_update_keeps_what_was_known_of_models_that_were_not_measured():
    before = [
        ("PAD101", Severity.WARNING, "nope"),
        ("PAD102", Severity.WARNING, "elsewhere"),
        ("PAD999", Severity.ERROR),
    ]
    before = Baseline(findings=tuple(known(*each) for each in before))
    after = baseline.updated(before, check(report(**FAILING), unmeasured("nope")))
    assert [each for each in after.findings if each.model != "some/model"] == [
        known("PAD102", Severity.WARNING, "elsewhere"),
        known("PAD101", Severity.WARNING, "nope"),
    ]
    assert "PAD999" not in after.of("some/model")
    assert after.of("some/model")["PAD201"] is Severity.ERROR


def test_what_was_just_written_is_accepted():
    found = check(report(settings=STRICT, tokenizer=tokenizer_facts(padding_side="right")), unmeasured())
    accepted = accept(found, baseline.updated(Baseline(findings=()), found))
    assert [each.exit_code for each in accepted.reports] == [ExitCode.OK, ExitCode.NOT_MEASURED]
    assert all(finding.known for finding in accepted.reports[0].findings)


def test_what_could_not_be_written_is_not_called_known():
    found = check(report(**no_padding()))
    written = baseline.updated(Baseline(findings=()), found)
    assert written.findings == ()
    assert not any(finding.known for finding in accept(found, written).reports[0].findings)


@pytest.mark.parametrize("left_out", [{"ignore": {"PAD201": "why"}}, {"select": ("PAD1",)}, {"task": "score"}])
def test_an_update_keeps_the_findings_of_rules_that_were_not_asked(left_out):
    before = Baseline(findings=(known("PAD201", Severity.ERROR),))
    after = baseline.updated(before, check(report(settings=JudgeSettings(**left_out), **FAILING)))
    assert after.of("some/model")["PAD201"] is Severity.ERROR


def test_a_finding_that_is_gone_is_named():
    healthy = check(report(settings=JudgeSettings(known={"PAD201": Severity.ERROR, "PAD106": Severity.WARNING})))
    assert [each.code for each in judge_again(healthy, {}).vanished] == ["PAD201", "PAD106"]


@pytest.mark.parametrize("left_out", [{"ignore": {"PAD201": "why"}}, {"select": ("PAD1",)}, {"task": "score"}])
def test_a_finding_of_a_rule_that_was_not_asked_is_not_gone(left_out):
    settings = JudgeSettings(known={"PAD201": Severity.ERROR}, **left_out)
    assert judge_again(check(report(settings=settings)), {}).vanished == ()


def test_no_finding_of_a_model_that_was_not_measured_is_gone():
    settings = JudgeSettings(known={"PAD201": Severity.ERROR})
    nothing = report(settings=settings, runs={}, differences={})
    assert judge_again(check(nothing, unmeasured()), {}).vanished == ()


def test_without_a_path_it_is_empty_and_a_new_one_may_be_missing(tmp_path):
    assert baseline.read(None, may_be_new=False).findings == ()
    assert baseline.read(tmp_path / "new.json", may_be_new=True).findings == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no baseline .*--write-baseline"),
        (b"", "is not a baseline"),
        (b"[]", "has no schema_version"),
        (b"{}", "has no schema_version"),
        (b'{"schema_version": 2, "findings": []}', "has schema_version 2; this padcheck reads 1"),
        (b'{"schema_version": 1}', "missing required field `findings`"),
        (b'{"schema_version": 1, "findings": [{"model": "m", "code": "PAD201", "severity": "awful"}]}', "awful"),
        (b"\xff\xfe", "is not a baseline"),
    ],
)
def test_a_file_that_is_not_a_baseline_is_an_error(tmp_path, content, says):
    path = tmp_path / "known.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=f"(?s){says}") as raised:
        baseline.read(path, may_be_new=False)
    assert raised.value.change


def test_writing_needs_a_path():
    with pytest.raises(UsageError, match="needs a path"):
        baseline.read(None, may_be_new=True)


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        baseline.read(tmp_path, may_be_new=False)
