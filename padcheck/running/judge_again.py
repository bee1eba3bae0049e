"""Judges a saved report, check or survey again, without running its models."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import Architecture, Check, Document, Report, Survey, Unmeasured
from padcheck.core.settings import JudgeSettings
from padcheck.core.version import __version__
from padcheck.judging.baseline import Baseline
from padcheck.judging.judge import rejudge
from padcheck.judging.rules import RULES
from padcheck.running.many_models import compose_check
from padcheck.running.survey import compose_architecture, compose_survey


def judge_again(document: Document, changes: Mapping[str, Any]) -> Document:
    """The same evidence, judged with the same `JudgeSettings` except for these changes.

    Raises:
        UsageError: A code is unknown, the document is a survey and anything but `fail_on` changes, or the evidence
            passes although the document fails.
    """
    if isinstance(document, Survey):
        _require_known_codes(document)
    if document.exit_code is not ExitCode.OK and _versions(document) == {__version__}:
        again = _again(document, {})
        if again.exit_code is ExitCode.OK:
            raise UsageError(
                f"The file says {document.status}, but what was measured gives {again.status}.",
                meaning="It was changed after padcheck wrote it.",
                change="Run the command again, or take the file as it was.",
            )
    return _again(document, changes)


def _versions(document: Document) -> set[str]:
    """The versions of padcheck that judged a document. Another version may judge differently."""
    if isinstance(document, Check):
        return {each.evidence.environment.padcheck for each in document.reports if isinstance(each, Report)}
    return {(document if isinstance(document, Survey) else document.evidence).environment.padcheck}


def _again(document: Document, changes: Mapping[str, Any]) -> Document:
    if isinstance(document, Survey):
        return _survey_again(document, changes)
    if isinstance(document, Check):
        return compose_check([_report_again(each, changes) for each in document.reports], document.configuration)
    return rejudge(document, changes)


def accept(check: Check, baseline: Baseline) -> Check:
    """The same check, judged with another baseline: the one that was just written."""
    reports = [
        _report_again(report, {"known": baseline.of(model.id)})
        for report, model in zip(check.reports, check.models, strict=True)
    ]
    return compose_check(reports, check.configuration)


def _require_known_codes(survey: Survey) -> None:
    known = {rule.code for rule in RULES}
    unknown = {code for architecture in survey.architectures for code in architecture.findings} - known
    if unknown:
        raise UsageError(
            f"The survey has findings of unknown codes: {', '.join(sorted(unknown))}.",
            meaning="It was written by a newer padcheck.",
            change="Read the file with that version.",
        )


def _report_again(report: Report | Unmeasured, changes: Mapping[str, Any]) -> Report | Unmeasured:
    return rejudge(report, changes) if isinstance(report, Report) else report


def _survey_again(survey: Survey, changes: Mapping[str, Any]) -> Survey:
    if changes.keys() - {"fail_on"}:
        raise UsageError(
            "--atol, --rtol, --select, --ignore, --task and --padding-side do not work with a saved survey.",
            meaning="A survey keeps the findings, but not the evidence.",
            change="Run `padcheck survey` again with these options.",
        )
    judgement = replace(survey.judgement, **changes)
    architectures = [_architecture_again(architecture, judgement) for architecture in survey.architectures]
    return compose_survey(architectures, survey.environment, survey.settings, judgement)


def _architecture_again(architecture: Architecture, judgement: JudgeSettings) -> Architecture:
    if architecture.variants:
        return compose_architecture([_architecture_again(each, judgement) for each in architecture.variants])
    if architecture.status != "judged":
        return architecture
    fails = any(judgement.fails(finding.severity) for finding in architecture.details)
    return msgspec.structs.replace(architecture, exit_code=ExitCode.FINDINGS if fails else ExitCode.OK)
