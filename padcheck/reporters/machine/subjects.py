"""What pipelines need to know about each model: what fails, what else was found, and why there is no verdict."""

from typing import NamedTuple

from padcheck.core.report import (
    Architecture,
    Check,
    ConfigurationFile,
    Finding,
    Reason,
    Report,
    Skipped,
    Survey,
    Unmeasured,
)
from padcheck.core.run_report import AnyDocument, Run
from padcheck.core.settings import JudgeSettings
from padcheck.judging.caller_rules import CALLER_RULES
from padcheck.judging.rule import Code
from padcheck.judging.rules import RULES


class Subject(NamedTuple):
    """One model, one architecture of a survey, or one line of a watched program.

    Attributes:
        name: The model's id, and its attention implementation if a check compares several.
        model: The model's id if the name says more.
        failing: The findings that make the command fail.
        passing: The other findings.
        skipped: The rules that could not be decided.
        not_measured: Why there is no verdict; None if there is one.
        file: The configuration file that names the model, or the file of the line; None if unknown.
        line: The line there, from 1; None if unknown.
    """

    name: str
    model: str | None = None
    failing: tuple[Finding, ...] = ()
    passing: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    not_measured: Reason | None = None
    file: str | None = None
    line: int | None = None

    @property
    def outcome(self) -> str:
        """`passed`, `failed` or `not measured`."""
        return "not measured" if self.not_measured is not None else "failed" if self.failing else "passed"


def subjects(document: AnyDocument) -> list[Subject]:
    """The models of a document, or the lines of a program with findings, in their order there."""
    if isinstance(document, Run):
        return _of_run(document)
    if isinstance(document, Survey):
        return [_of_architecture(each, document.judgement) for each in document.architectures]
    if isinstance(document, Check):
        return [
            _placed(_of_model(report), document.configuration)._replace(name=name, model=model.id)
            for name, model, report in zip(document.names, document.models, document.reports, strict=True)
        ]
    return [_of_model(document)]


def rules_of(document: AnyDocument) -> tuple[Code, ...]:
    """The rules that a document can have findings of."""
    return CALLER_RULES if isinstance(document, Run) else RULES


def _of_run(run: Run) -> list[Subject]:
    """One subject per line with findings; the program itself if nothing was found."""
    if not run.findings:
        reason = Reason(what="No call of a transformers model was seen.", change="Check that the program makes one.")
        return [Subject(run.script or "watched code", not_measured=reason if run.status == "not_measured" else None)]
    by_line: dict[tuple[str, int], tuple[Finding, ...]] = {}
    for finding in run.findings:
        place = finding.file, finding.line
        by_line[place] = (*by_line.get(place, ()), finding)
    return [
        _sorted_out(f"{file}:{line}", findings, run.judgement)._replace(model=file, file=file, line=line)
        for (file, line), findings in by_line.items()
    ]


def _of_model(report: Report | Unmeasured) -> Subject:
    if isinstance(report, Unmeasured):
        return Subject(report.model.id, not_measured=report.error)
    subject = _sorted_out(report.evidence.model.id, report.findings, report.judgement)
    reason = Reason(what="There is no verdict on padding.", change="See the findings for the reason.")
    return subject._replace(skipped=report.skipped, not_measured=reason if report.status == "not_measured" else None)


def _of_architecture(architecture: Architecture, judgement: JudgeSettings) -> Subject:
    if architecture.status == "judged":
        return _sorted_out(architecture.model_type, architecture.details, judgement)
    return Subject(architecture.model_type, not_measured=Reason(what=architecture.reason or "It could not be built."))


def _sorted_out(name: str, findings: tuple[Finding, ...], judgement: JudgeSettings) -> Subject:
    failing = tuple(each for each in findings if judgement.fails(each.severity) and not each.known)
    return Subject(name, None, failing, tuple(each for each in findings if each not in failing))


def _placed(subject: Subject, configuration: ConfigurationFile | None) -> Subject:
    if configuration is None:
        return subject
    return subject._replace(file=configuration.path, line=configuration.lines.get(subject.name))
