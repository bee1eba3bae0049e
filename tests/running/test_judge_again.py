"""A document that was read back is judged like the live one, and does not pass if evidence was removed from it."""

import json
from pathlib import Path

import pytest
import torch
from builders import check, difference, differences, report, unpadded_difference
from documents import DOCUMENTS, a_run, read_back
from msgspec.structs import replace
from surveys import MIXED

from padcheck.core.errors import UsageError
from padcheck.core.json_io import dump, load
from padcheck.core.run_report import AnyDocument
from padcheck.core.run_results import RowDifference
from padcheck.core.version import __version__
from padcheck.hf.calls.logits import LogitsLog
from padcheck.hf.runs.differences import compare_logits
from padcheck.running.judge_again import judge_again

EXTREMES = (0.0, 1.0, -1.0, 1e-45, 1e4, -1e4, -1e9, 1e38, -1e38, 3.4e38, -3.4e38, 1e308, -1e308)
EXTREMES = (*EXTREMES, *map(float, ("inf", "-inf", "nan")))


def logged(*logits: float):
    log = LogitsLog(1)
    log.add(torch.tensor([logits], dtype=torch.float64))
    return log.row(0, 1)


@pytest.mark.parametrize("alone", EXTREMES)
@pytest.mark.parametrize("padded", EXTREMES)
def test_extreme_logits_get_the_same_verdict_live_and_from_a_file(alone: float, padded: float, tmp_path: Path) -> None:
    steps = compare_logits(logged(alone, 0.0, 1.0), logged(padded, 0.0, 1.0))
    padded_row = RowDifference(prompt_index=1, num_pad_tokens=2, steps=steps)
    live = report(differences=differences(left=(unpadded_difference(0.0), padded_row)))

    assert dump(judge_again(read_back(live, tmp_path), {})) == dump(live)
    both_mask = alone <= -1e4 and padded <= -1e4
    in_float32 = torch.tensor([alone, padded]).tolist()
    same = both_mask or in_float32[0] == in_float32[1] or abs(alone - padded) < 1e-4
    assert live.status == ("pass" if same else "fail")


@pytest.mark.parametrize("document", [*DOCUMENTS.values(), MIXED])
def test_documents_get_the_same_verdict_from_a_file(document, tmp_path: Path) -> None:
    assert dump(judge_again(read_back(document, tmp_path), {})) == dump(judge_again(document, {}))


@pytest.fixture
def failing():
    found = report(differences=differences(left=(unpadded_difference(0.0), difference(0.5))))
    environment = replace(found.evidence.environment, padcheck=__version__)
    return replace(found, evidence=replace(found.evidence, environment=environment))


def test_a_report_that_fails_does_not_pass_without_its_evidence(failing, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    written = json.loads(dump(failing))
    for name in ("left", "left_alone"):
        for each in written["differences"][name]:
            each["steps"] = [step | {"max_abs_diff": 0.0} for step in each["steps"]]
    file.write_text(json.dumps(written))
    with pytest.raises(UsageError, match="The file says fail, but what was measured gives pass"):
        judge_again(load(file), {})
    written["environment"]["padcheck"] = "0.0"  # which may have judged otherwise
    file.write_text(json.dumps(written))
    assert judge_again(load(file), {}).status == "pass"


def test_a_report_that_fails_may_pass_with_other_settings(failing, tmp_path: Path) -> None:
    assert judge_again(read_back(failing, tmp_path), {"fail_on": None}).status == "pass"


def test_a_check_that_fails_does_not_pass_without_a_report(failing, tmp_path: Path) -> None:
    passing = replace(report(), evidence=replace(report().evidence, environment=failing.evidence.environment))
    both = check(failing, passing)
    assert judge_again(read_back(both, tmp_path), {}).status == "fail"
    with pytest.raises(UsageError, match="The file says fail"):
        judge_again(read_back(replace(both, reports=(passing,)), tmp_path), {})


def test_a_survey_that_fails_does_not_pass_without_its_findings(tmp_path: Path) -> None:
    judged = [
        replace(architecture, findings=(), details=())
        for architecture in MIXED.architectures
        if architecture.status == "judged"
    ]
    environment = replace(MIXED.environment, padcheck=__version__)
    gutted = replace(MIXED, environment=environment, status="fail", exit_code=1, architectures=tuple(judged))
    with pytest.raises(UsageError, match="The file says fail"):
        judge_again(read_back(gutted, tmp_path), {})


def test_a_watched_program_that_fails_does_not_pass_without_its_findings(tmp_path: Path) -> None:
    environment = replace(a_run().environment, padcheck=__version__)
    assert judge_again(read_back(a_run(environment=environment), tmp_path), {}).status == "fail"
    with pytest.raises(UsageError, match="The file says fail"):
        judge_again(read_back(a_run(environment=environment, findings=()), tmp_path), {})


@pytest.mark.parametrize(("document", "code"), [(MIXED, "PAD201"), (a_run(), "PAD509")])
def test_unknown_codes_are_a_usage_error(document: AnyDocument, code: str, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_text(dump(document).replace(code, "PAD999"))
    with pytest.raises(UsageError, match="unknown codes: PAD999"):
        judge_again(load(file), {})
