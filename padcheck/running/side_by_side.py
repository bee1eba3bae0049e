"""Compares one model in several ways: with each attention implementation, or with some settings changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from padcheck.core.errors import UsageError
from padcheck.core.progress import Progress
from padcheck.core.report import Check, Report, Unmeasured
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.judging.judge import require_known_codes
from padcheck.running.imports import importing
from padcheck.running.many_models import Job, compare_job, compose_check

Change = Mapping[str, Any]
"""Settings of `MeasureSettings`, by name, with the values that one run has instead."""


def compare_by_attention(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Check:
    """Compares one model with each attention implementation that it can run with here, its default first.

    Raises:
        UsageError: A code, a dtype or a device is unknown, or the model does not accept an option.
    """
    default = replace(measure, attn_implementation=None)

    def others(report: Report) -> list[Change]:
        model = report.evidence.model
        return [
            {"attn_implementation": each} for each in model.attn_implementations if each != model.attn_implementation
        ]

    return _compare_ways(default, judgement, progress, others)


def compare_against(
    measure: MeasureSettings, judgement: JudgeSettings, progress: Progress, *, changes: Sequence[Change]
) -> Check:
    """Compares one model as asked, and once more with each of these changes.

    Raises:
        UsageError: A code, a dtype or a device is unknown, or the model does not accept an option.
    """

    def accepted(report: Report) -> Sequence[Change]:
        if report.evidence.model.revision is None and any("revision" in change for change in changes):
            raise UsageError(
                f"{measure.model} has no revisions.",
                meaning="It is on this machine, and only a repository on the hub has revisions.",
                change="Leave out --against revision=..., or give the id of the repository.",
            )
        return changes

    with progress.stage("checking the settings", "import"), importing():
        from padcheck.hf.load.weights import dtype_and_device

    for change in changes:  # before the first run
        dtype_and_device(replace(measure, **change))
    return _compare_ways(measure, judgement, progress, accepted)


def _compare_ways(
    measure: MeasureSettings,
    judgement: JudgeSettings,
    progress: Progress,
    changes_after: Callable[[Report], Sequence[Change]],
) -> Check:
    require_known_codes(judgement)
    with progress.stage("importing torch and transformers", "import"), importing():
        from padcheck.hf.parallel.ranks import joined

    with joined(wanted=measure.tp_plan is not None):
        reports = [compare_job(Job(measure, judgement), progress, raise_usage_errors=True)]
        changes = changes_after(reports[0]) if isinstance(reports[0], Report) else []
        for change in changes:
            job = Job(replace(measure, **change), judgement)
            reports.append(compare_job(job, progress, raise_usage_errors=False))
    names = list(dict.fromkeys(name for change in changes for name in change)) or ["attn_implementation"]
    ways = (_as_asked(reports[0], names), *(", ".join(change.values()) for change in changes))
    return msgspec.structs.replace(compose_check(reports, None), ways=ways)


def _as_asked(report: Report | Unmeasured, names: Sequence[str]) -> str:
    """The values that the first run has of the settings that the others change."""
    if isinstance(report, Unmeasured):
        return "as asked"
    values = {name: getattr(report.evidence.model, name) for name in names}
    return ", ".join(str(value) if value is not None else f"no {name}" for name, value in values.items())
