"""What pipelines need to know about each model: what fails, what else was found, and why there is no verdict."""

from typing import NamedTuple

from padcheck.core.report import Architecture, Check, ConfigurationFile, Reason, Report, Survey, Unmeasured
from padcheck.core.run_report import AnyDocument, Run
from padcheck.core.settings import JudgeSettings
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.caller_rules import CALLER_RULES
from padcheck.judging.rule import Code
from padcheck.judging.rules import RULES


class Subject(NamedTuple):
    """One model, one architecture of a survey, or one line of a watched program.

    Attributes:
        name: The model's id, and its attention implementation if a check compares several.
        failing: The findings that make the command fail.
        passing: The other findings.
        skipped: The rules that gave no answer.
        seconds: How long it took.
        is_inspection: True if only the tokenizer was inspected, so rules about runs cannot be decided.
        not_measured: Why there is no verdict; None if there is one.
        file: The file of the line, the configuration file that names the model, or a file of the model itself; None if
            there is no such file.
        line: The line in that file, from 1; None if unknown.
    """

    name: str
    failing: tuple[Finding, ...] = ()
    passing: tuple[Finding, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    seconds: float = 0.0
    is_inspection: bool = False
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
        lines = [line for architecture in document.architectures for line in architecture.lines]
        return [_of_architecture(each, document.judgement) for each in lines]
    if isinstance(document, Check):
        return [
            _placed(_of_model(report), document.configuration)._replace(name=name)
            for name, report in zip(document.names, document.reports, strict=True)
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
        _sorted_out(f"{file}:{line}", findings, run.judgement)._replace(file=file, line=line)
        for (file, line), findings in by_line.items()
    ]


def _of_model(report: Report | Unmeasured) -> Subject:
    if isinstance(report, Unmeasured):
        return Subject(report.model.id, not_measured=report.error)
    subject = _sorted_out(report.evidence.model.id, report.findings, report.judgement)
    reason = Reason(what="There is no verdict on padding.", change="See the findings for the reason.")
    return subject._replace(
        skipped=report.skipped,
        seconds=sum(report.seconds.values()),
        is_inspection=report.command == "inspect-tokenizer",
        not_measured=reason if report.status == "not_measured" else None,
        file=report.evidence.model.file,
    )


def _of_architecture(architecture: Architecture, judgement: JudgeSettings) -> Subject:
    if architecture.status == "judged":
        subject = _sorted_out(architecture.name, architecture.details, judgement)
    else:
        reason = Reason(what=architecture.reason or "It could not be built.")
        subject = Subject(architecture.name, not_measured=reason)
    return subject._replace(seconds=architecture.seconds)


def _sorted_out(name: str, findings: tuple[Finding, ...], judgement: JudgeSettings) -> Subject:
    failing = tuple(each for each in findings if judgement.fails(each.severity) and not each.known)
    return Subject(name, failing, tuple(each for each in findings if each not in failing))


def _placed(subject: Subject, configuration: ConfigurationFile | None) -> Subject:
    if configuration is None:
        return subject
    return subject._replace(file=configuration.path, line=configuration.lines.get(subject.name))
