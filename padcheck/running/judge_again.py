"""Judges a saved report, check, survey or watched program again, without running anything."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import STATUS, Architecture, Check, Report, Survey, Unmeasured
from padcheck.core.run_report import AnyDocument, Run
from padcheck.core.settings import JudgeSettings
from padcheck.core.version import __version__
from padcheck.judging.baseline import Baseline
from padcheck.judging.caller_rule import exit_code_of
from padcheck.judging.caller_rules import ALL_CODES, CALLER_RULES
from padcheck.judging.judge import rejudge, require_known_codes
from padcheck.judging.rules import RULES
from padcheck.running.many_models import compose_check
from padcheck.running.survey import compose_architecture, compose_survey


def judge_again(document: AnyDocument, changes: Mapping[str, Any]) -> AnyDocument:
    """The same evidence, judged with the same `JudgeSettings` except for these changes.

    Raises:
        UsageError: A code is unknown, something changes that needs evidence which the document does not keep, or the
            evidence passes although the document fails.
    """
    _require_known_codes(document)
    if document.exit_code is not ExitCode.OK and _is_judged_alike(document):
        again = _again(document, {})
        if again.exit_code is ExitCode.OK:
            raise UsageError(
                f"The file says {document.status}, but what was measured gives {again.status}.",
                meaning="It was changed after padcheck wrote it.",
                change="Run the command again, or take the file as it was.",
            )
    return _again(document, changes)


def _is_judged_alike(document: AnyDocument) -> bool:
    """False if another version judged the evidence: it may have judged differently.

    A survey and a watched program keep findings instead of evidence, and those mean the same in every version.
    """
    if isinstance(document, Survey | Run):
        return True
    reports = document.reports if isinstance(document, Check) else [document]
    return {each.evidence.environment.padcheck for each in reports if isinstance(each, Report)} == {__version__}


def _again(document: AnyDocument, changes: Mapping[str, Any]) -> AnyDocument:
    if isinstance(document, Survey):
        return _survey_again(document, changes)
    if isinstance(document, Run):
        return _run_again(document, changes)
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


def accept_run(run: Run) -> Run:
    """The same watched program, judged with a baseline of its own findings."""
    known = tuple(msgspec.structs.replace(finding, known=True) for finding in run.findings)
    return _run_again(msgspec.structs.replace(run, findings=known), {})


def _require_known_codes(document: AnyDocument) -> None:
    """Rejects unknown codes in documents that keep findings without evidence. Others get new findings."""
    if isinstance(document, Survey):
        kind, known = "survey", {rule.code for rule in RULES}
        found = {code for architecture in document.architectures for code in architecture.findings}
    elif isinstance(document, Run):
        kind, known = "watched program", {rule.code for rule in CALLER_RULES}
        found = {finding.code for finding in document.findings}
    else:
        return
    unknown = found - known
    if unknown:
        raise UsageError(
            f"The {kind} has findings of unknown codes: {', '.join(sorted(unknown))}.",
            meaning="It was written by a newer padcheck.",
            change="Read the file with that version.",
        )


def _report_again(report: Report | Unmeasured, changes: Mapping[str, Any]) -> Report | Unmeasured:
    return rejudge(report, changes) if isinstance(report, Report) else report


def _run_again(run: Run, changes: Mapping[str, Any]) -> Run:
    if changes.keys() - {"fail_on", "select", "ignore"}:
        raise UsageError(
            "--atol, --rtol, --task and --padding-side do not work with a watched program.",
            meaning="The report keeps the findings, but not the runs that they rest on.",
            change="Run `padcheck run` again.",
        )
    judgement = replace(run.judgement, **changes)
    require_known_codes(judgement, ALL_CODES)
    findings = tuple(finding for finding in run.findings if judgement.left_out(finding.code) is None)
    exit_code = exit_code_of(findings, run.calls, judgement)
    return msgspec.structs.replace(
        run, judgement=judgement, findings=findings, exit_code=exit_code, status=STATUS[exit_code]
    )


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
