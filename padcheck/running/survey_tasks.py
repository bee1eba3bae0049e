"""What an architecture of a survey does in the tasks that have a head, such as classifying: two more columns a task."""

from dataclasses import replace

import msgspec

from padcheck.core.progress import Silent
from padcheck.core.report import Architecture
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.core.severity import Severity
from padcheck.core.use_case import Task
from padcheck.core.verdicts import Verdict
from padcheck.judging.rules import find_rule
from padcheck.judging.task_case import SIDES
from padcheck.judging.task_rule import TaskRule
from padcheck.running.failures import Failure, report_or_failure
from padcheck.running.one_model import compare_architecture


def with_tasks(
    judged: Architecture, toy: MeasureSettings, judgement: JudgeSettings, tasks: tuple[Task, ...]
) -> Architecture:
    """The architecture with its verdicts as a classifier or an embedder, if transformers has such a class for it.

    Args:
        judged: What it does as a language model. If it was not judged, nothing is added.
        toy: How it was measured.
        judgement: How to judge it.
        tasks: The tasks.
    """
    from padcheck.hf.library.auto_classes import model_types_for

    for task in tasks if judged.status == "judged" else ():
        if judged.model_type in model_types_for(task):
            judged = _with_task(judged, replace(toy, task=task, thorough=False, with_modes=()), judgement, task)
    return judged


def _with_task(judged: Architecture, toy: MeasureSettings, judgement: JudgeSettings, task: Task) -> Architecture:
    asked = replace(judgement, task=task)
    report = report_or_failure(lambda: compare_architecture(toy, asked, Silent()), raise_usage_errors=False)
    if isinstance(report, Failure):
        not_run = {f"{task}_{side}": Verdict.NOT_RUN for side in SIDES}
        return msgspec.structs.replace(judged, verdicts=judged.verdicts | not_run)
    compared = {f"{task}_{side}": report.task_comparisons[side] for side in SIDES}
    known = set(judged.findings)
    new = [
        msgspec.structs.replace(finding, evidence=finding.evidence | {"task": task})
        for finding in report.findings
        if finding.code not in known
        and finding.severity is not Severity.INFO
        and isinstance(find_rule(finding.code), TaskRule)
    ]
    details = tuple(sorted((*judged.details, *new), key=lambda finding: (-finding.severity.rank, finding.code)))
    failing = max(judged.exit_code, report.exit_code) if new else judged.exit_code
    return msgspec.structs.replace(
        judged,
        exit_code=failing,
        verdicts=judged.verdicts | {name: each.verdict for name, each in compared.items()},
        max_abs_diffs=judged.max_abs_diffs | {name: each.max_abs_diff for name, each in compared.items()},
        findings=tuple(finding.code for finding in details),
        details=details,
    )
