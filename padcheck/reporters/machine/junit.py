"""A report, check or survey as JUnit XML, for the test view of a pipeline: one suite per model, one case per rule.

A rule has no case if the user did not ask for it, if another finding already explains it, or if nothing was measured.
"""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from padcheck.core.run_report import AnyDocument
from padcheck.core.verdicts import Finding
from padcheck.judging.rule import Code, Rule
from padcheck.reporters.machine.subjects import Subject, rules_of, subjects
from padcheck.reporters.report.wording import findings
from padcheck.reporters.text.view import View

_MEASURED = "measured"
"""The case that fails if there is no verdict: a model that was not measured has not passed."""

_WITHOUT_CASE = ("not_asked", "covered")


def render(document: AnyDocument, view: View) -> str:  # noqa: ARG001  XML has no width
    """The document as JUnit XML."""
    root = ET.Element("testsuites", name=f"padcheck {document.command}")
    for subject in subjects(document):
        cases = list(_cases(subject, rules_of(document)))
        suite = ET.SubElement(root, "testsuite", {"name": subject.name} | _counted(cases))
        suite.extend(cases)
    root.attrib |= _counted(root.findall("testsuite/testcase"))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(subject: Subject, rules: tuple[Code, ...]) -> Iterator[ET.Element]:
    measured = _case(subject, _MEASURED, subject.seconds)
    if subject.not_measured is not None:
        what, *more = subject.not_measured.lines
        ET.SubElement(measured, "error", message=what, type="not-measured").text = "\n".join(more)
    yield measured
    failing = {finding.code: finding for finding in subject.failing}
    passing = {finding.code: finding for finding in subject.passing}
    skipped = {each.code: each for each in subject.skipped}
    for rule in rules:
        case = _case(subject, f"{rule.code} {rule.name}")
        if (finding := failing.get(rule.code)) is not None:
            failure = ET.SubElement(case, "failure", message=finding.message, type=finding.severity.value)
            failure.text = finding.fix
        elif (finding := passing.get(rule.code)) is not None:
            ET.SubElement(case, "system-out").text = _said(finding)
        elif subject.not_measured is not None:
            continue
        elif (left_out := skipped.get(rule.code)) is not None:
            reads_runs = isinstance(rule, Rule) and rule.reads
            if left_out.kind in _WITHOUT_CASE or (reads_runs and subject.is_inspection):
                continue
            ET.SubElement(case, "skipped", message=left_out.reason)
        yield case


def _case(subject: Subject, name: str, seconds: float = 0.0) -> ET.Element:
    """One case. Judging takes no time, so the time of a model is that of its measurement."""
    # Most viewers read a dot as the end of a package name.
    class_name = f"padcheck.{subject.name.replace('.', '_')}"
    return ET.Element("testcase", classname=class_name, name=name, time=f"{seconds:.3f}")


def _said(finding: Finding) -> str:
    return f"{findings.label(finding)}: {finding.message}\n{finding.fix}"


def _counted(cases: list[ET.Element]) -> dict[str, str]:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: sum(case.find(kind) is not None for case in cases) for name, kind in kinds.items()}
    seconds = sum(float(case.get("time", "0")) for case in cases)
    return {name: str(count) for name, count in ({"tests": len(cases)} | counts).items()} | {"time": f"{seconds:.3f}"}
