"""Any document as a pipeline wants it: of each model what was found, what fails, and why there is no verdict."""

from typing import NamedTuple

from padcheck.core.report import (
    Architecture,
    Check,
    ConfigurationFile,
    Document,
    Finding,
    Reason,
    Report,
    Skipped,
    Survey,
    Unmeasured,
)
from padcheck.core.settings import JudgeSettings


class Subject(NamedTuple):
    """One model, or one architecture of a survey.

    `model` is its id where the name says more. `failing` are the findings that make the command fail, `passing` the
    others. `not_measured` says why there is no verdict, and `file` and `line` where the model was asked for, as far as
    that is known.
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
        """How it went, in a word or two."""
        return "not measured" if self.not_measured is not None else "failed" if self.failing else "passed"


def subjects(document: Document) -> list[Subject]:
    """The models of a document, in its order."""
    if isinstance(document, Survey):
        return [_of_architecture(each, document.judgement) for each in document.architectures]
    if isinstance(document, Check):
        return [
            _placed(_of_model(report), document.configuration)._replace(name=name, model=model.id)
            for name, model, report in zip(document.names, document.models, document.reports, strict=True)
        ]
    return [_of_model(document)]


def _of_model(report: Report | Unmeasured) -> Subject:
    if isinstance(report, Unmeasured):
        return Subject(report.model.id, not_measured=report.error)
    subject = _sorted_out(report.evidence.model.id, report.findings, report.judgement)
    reason = Reason(what="There is no verdict on padding.", change="The findings say why.")
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
