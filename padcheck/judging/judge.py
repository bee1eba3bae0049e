"""From evidence to report: compares the runs, asks every rule, and decides status and exit code."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from padcheck.core.errors import UsageError
from padcheck.core.evidence import Evidence
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import STATUS, Command, Report
from padcheck.core.run_plans import SINGLE
from padcheck.core.settings import JudgeSettings
from padcheck.core.use_case import HEADS
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.advice import advise
from padcheck.judging.case import Case
from padcheck.judging.compare import open_case
from padcheck.judging.library_behaviour import library_behaviour
from padcheck.judging.rule import Code, Rule
from padcheck.judging.rules import RULES
from padcheck.judging.suppression import suppressed

_BATCH = "PAD206"
"""The code that says that rows depend on their batch."""


def judge(command: Command, evidence: Evidence, settings: JudgeSettings) -> Report:
    """The report on this evidence.

    Raises:
        UsageError: `select` or `ignore` names no rule.
    """
    require_known_codes(settings)
    case, floor = open_case(evidence, settings.atol, settings.rtol, settings.use)
    comparisons = case.comparisons
    findings, skipped = _ask_rules(case, settings)
    exit_code = _exit_code(command, case, findings, settings)
    return Report(
        command=command,
        status=STATUS[exit_code],
        exit_code=exit_code,
        judgement=settings,
        evidence=evidence,
        comparisons=comparisons,
        task_comparisons={} if case.task is None else case.task.comparisons,
        noise_floor=floor if comparisons else None,
        precision_test=case.precision,
        findings=tuple(findings),
        advice=advise(case),
        library_behaviour=library_behaviour(evidence),
        skipped=tuple(skipped),
    )


def rejudge(report: Report, changes: Mapping[str, Any]) -> Report:
    """The same evidence and times, judged again with these fields of `JudgeSettings` changed.

    Raises:
        UsageError: `select` or `ignore` names no rule.
    """
    again = judge(report.command, report.evidence, dataclasses.replace(report.judgement, **changes))
    return replace(again, seconds=report.seconds)


def _ask_rules(case: Case, settings: JudgeSettings) -> tuple[list[Finding], list[Skipped]]:
    """The findings, most severe first, and the rules that were left out, undecided or suppressed."""
    outcomes = {rule: _ask(rule, case, settings) for rule in RULES}
    found = {rule: outcome for rule, outcome in outcomes.items() if isinstance(outcome, Finding)}
    skipped = [outcome for outcome in outcomes.values() if isinstance(outcome, Skipped)]
    covered = suppressed(found)
    skipped += [rule.skip(f"covered by {code}", "covered") for rule, code in covered.items()]
    findings = [
        replace(finding, known=settings.knows(finding.code, finding.severity))
        for rule, finding in found.items()
        if rule not in covered
    ]
    findings.sort(key=lambda finding: (-finding.severity.rank, finding.code))
    return findings, sorted(skipped, key=lambda outcome: outcome.code)


def _ask(rule: Rule, case: Case, settings: JudgeSettings) -> Finding | Skipped | None:
    left_out = settings.left_out(rule.code)
    if left_out is not None:
        return rule.skip(left_out, "ignored" if settings.ignores(rule.code) is not None else "not_asked")
    if not rule.concerns(case.use):
        return rule.skip(f"says nothing about {case.use}", "not_asked")
    if _BATCH in rule.suppressed_by and case.undecidable() is not None:
        # PAD206 is then a warning, which suppresses no error; but whatever it could explain may come from the batch.
        return rule.skip("rows depend on their batch by construction")
    return rule.judge(case)


def _exit_code(command: Command, case: Case, findings: list[Finding], settings: JudgeSettings) -> ExitCode:
    """A model that was not measured never passes, whatever --fail-on says."""
    reference = case.evidence.runs.get(SINGLE)
    # A control that is not seen says nothing about padding. Neither does an error that is raised without padding.
    not_about_padding = {"PAD903"} | ({"PAD902"} if reference is not None and reference.error is not None else set())
    if case.undecidable() is not None:
        not_about_padding.add(_BATCH)
    counted = [finding for finding in findings if finding.code not in not_about_padding and not finding.known]
    failing = any(settings.fails(finding.severity) for finding in counted)
    of_task = settings.task in HEADS or (not case.evidence.runs and case.has_task(settings.task))
    if command == "compare" and of_task:
        return _exit_code_of_task(case, failing=failing)
    if command == "compare":
        padded = any(row.num_pad_tokens for comparison in case.comparisons.values() for row in comparison.rows)
        compared = case.ran(case.use.run)
        if (compared and not padded) or not (compared or failing):
            return ExitCode.NOT_MEASURED
        unseen = case.control_was_seen() is False and not case.harmed()
        if not failing and (unseen or case.undecidable() is not None):
            return ExitCode.NOT_MEASURED
    return ExitCode.FINDINGS if failing else ExitCode.OK


def _exit_code_of_task(case: Case, *, failing: bool) -> ExitCode:
    """The exit code if only a task was measured."""
    if failing and case.task is not None and case.task.padded():
        return ExitCode.FINDINGS
    return ExitCode.OK if case.task is not None and case.task.measured() else ExitCode.NOT_MEASURED


def require_known_codes(settings: JudgeSettings, codes: tuple[Code, ...] = RULES) -> None:
    """Rejects codes that do not exist, before anything runs.

    Raises:
        UsageError: `select` or `ignore` names no rule.
    """
    for option, prefixes in (("--select", settings.select), ("--ignore", settings.ignore)):
        for prefix in prefixes:
            if not prefix or not any(code.code.startswith(prefix) for code in codes):
                raise UsageError(
                    f"{option} {prefix or repr(prefix)} names no rule.",
                    change="`padcheck rules` lists the codes. A prefix such as PAD1 also works.",
                )
