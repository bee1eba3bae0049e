"""A report, check or survey as JUnit XML, for the test view of a pipeline: one suite per model, one case per rule."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from padcheck.core.report import Finding
from padcheck.core.run_report import AnyDocument
from padcheck.judging.rule import Code
from padcheck.reporters.machine.subjects import Subject, rules_of, subjects
from padcheck.reporters.report.wording import findings
from padcheck.reporters.text.view import View
from padcheck.reporters.text.visible import visible, visible_lines

_MEASURED = "measured"
"""The case that fails if there is no verdict: a model that was not measured has not passed."""


def render(document: AnyDocument, view: View) -> str:  # noqa: ARG001  XML has no width
    """The document as JUnit XML."""
    root = ET.Element("testsuites", name=f"padcheck {document.command}")
    for subject in subjects(document):
        cases = list(_cases(subject, rules_of(document)))
        suite = ET.SubElement(root, "testsuite", {"name": visible(subject.name)} | _counted(cases))
        suite.extend(cases)
    root.attrib |= _counted(root.findall("testsuite/testcase"))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(subject: Subject, rules: tuple[Code, ...]) -> Iterator[ET.Element]:
    measured = _case(subject, _MEASURED)
    if subject.not_measured is not None:
        what, *more = (visible_lines(text) for text in subject.not_measured.lines)
        ET.SubElement(measured, "error", message=what, type="not-measured").text = "\n".join(more)
    yield measured
    failing = {finding.code: finding for finding in subject.failing}
    passing = {finding.code: finding for finding in subject.passing}
    skipped = {each.code: each.reason for each in subject.skipped}
    for rule in rules:
        case = _case(subject, f"{rule.code} {rule.name}")
        if (finding := failing.get(rule.code)) is not None:
            failure = ET.SubElement(case, "failure", message=visible(finding.message), type=finding.severity.value)
            failure.text = visible_lines(finding.fix)
        elif (finding := passing.get(rule.code)) is not None:
            ET.SubElement(case, "system-out").text = _said(finding)
        elif rule.code in skipped or subject.not_measured is not None:
            ET.SubElement(case, "skipped", message=visible(skipped.get(rule.code, "nothing was measured")))
        yield case


def _case(subject: Subject, name: str) -> ET.Element:
    # Most viewers read a dot as the end of a package name.
    return ET.Element("testcase", classname=f"padcheck.{visible(subject.name).replace('.', '_')}", name=name)


def _said(finding: Finding) -> str:
    return f"{findings.label(finding)}: {visible(finding.message)}\n{visible_lines(finding.fix)}"


def _counted(cases: list[ET.Element]) -> dict[str, str]:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: sum(case.find(kind) is not None for case in cases) for name, kind in kinds.items()}
    return {name: str(count) for name, count in ({"tests": len(cases)} | counts).items()}
