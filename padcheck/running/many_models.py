"""`padcheck check`: measures and judges several models, each with its own settings."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from padcheck.core.errors import NotMeasuredError
from padcheck.core.progress import Progress, Silent
from padcheck.core.report import (
    STATUS,
    Check,
    ConfigurationFile,
    KnownFinding,
    Reason,
    Report,
    Unmeasured,
    UnmeasuredModel,
)
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.judging.baseline import Baseline, was_measured
from padcheck.judging.judge import require_known_codes
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.running.failures import Failure, report_or_failure
from padcheck.running.imports import importing
from padcheck.running.local_pool import Lost
from padcheck.running.one_model import compare_in_step
from padcheck.running.ray_pool import Cluster


class Job(NamedTuple):
    """One model of a check: what to measure and how to judge it."""

    measure: MeasureSettings
    judgement: JudgeSettings


def check(
    jobs: Iterable[Job],
    baseline: Baseline,
    progress: Progress,
    configuration: ConfigurationFile | None = None,
    ray: str | None = None,
) -> Check:
    """Measures and judges several models. If one cannot be measured, the others still run.

    Args:
        jobs: The models.
        baseline: Its findings make no model fail.
        progress: Shows what is running.
        configuration: The file that the settings come from, for the report.
        ray: The address of the Ray cluster to run on. If it is None, the models run in this process, one by one.

    Raises:
        UsageError: A code, a dtype or a device is unknown, or the only model does not accept an option.
        NotMeasuredError: The cluster cannot be reached.
    """
    run_each_on_ray = None if ray is None else Cluster(ray, lambda job: job.measure.device).run_each
    jobs = [Job(measure, replace(judgement, known=baseline.of(measure.model))) for measure, judgement in jobs]
    with progress.stage("checking the settings", "import"), importing():
        from padcheck.hf.load.weights import dtype_and_device
        from padcheck.hf.parallel.ranks import joined

        for job in jobs:  # before the first model runs
            require_known_codes(job.judgement)
            # The cluster may have other devices than this machine.
            dtype_and_device(job.measure if run_each_on_ray is None else replace(job.measure, device=None))
    compare_one = partial(compare_job, raise_usage_errors=len(jobs) == 1)
    if run_each_on_ray is None:
        with (
            joined(wanted=any(job.measure.tp_plan for job in jobs)),
            progress.steps("checking", len(jobs), lasting=True) as done,
        ):
            return compose_check((_told(compare_one(job, progress), job, done) for job in jobs), configuration)
    reports: dict[str, Report | Unmeasured] = {}
    with progress.steps("checking", len(jobs), lasting=True) as done:
        for job, result in run_each_on_ray(partial(compare_one, progress=Silent()), jobs):
            report = _lost(job, result) if isinstance(result, Lost) else result
            reports[job.measure.model] = _told(report, job, done)
    return compose_check((reports[job.measure.model] for job in jobs), configuration)


def _told(report: Report | Unmeasured, job: Job, done: Callable[[str], None]) -> Report | Unmeasured:
    """The report, after its conclusion was shown."""
    done(f"{job.measure.model}: {conclusion(report)}")
    return report


def compose_check(reports: Iterable[Report | Unmeasured], configuration: ConfigurationFile | None) -> Check:
    """The check with these reports."""
    reports = tuple(reports)
    exit_code = max(report.exit_code for report in reports)
    return Check(
        status=STATUS[exit_code],
        exit_code=exit_code,
        configuration=configuration,
        reports=reports,
        vanished=tuple(known for report in reports if isinstance(report, Report) for known in _vanished(report)),
    )


def compare_job(job: Job, progress: Progress, *, raise_usage_errors: bool) -> Report | Unmeasured:
    """Measures and judges one model; it may run in a worker process."""
    result = report_or_failure(
        lambda: compare_in_step(job.measure, job.judgement, progress), raise_usage_errors=raise_usage_errors
    )
    return _unmeasured(job, result) if isinstance(result, Failure) else result


def _lost(job: Job, lost: Lost) -> Unmeasured:
    error = NotMeasuredError(f"There is no result: {lost.reason}.", change="Try this model with `padcheck compare`.")
    return _unmeasured(job, Failure(error.exit_code, error))


def _unmeasured(job: Job, failure: Failure) -> Unmeasured:
    error = failure.error
    return Unmeasured(
        status=STATUS[failure.exit_code],
        exit_code=failure.exit_code,
        model=UnmeasuredModel(id=job.measure.model),
        error=Reason(what=error.what, meaning=error.meaning, change=error.change),
        traceback=failure.traceback,
    )


def _vanished(report: Report) -> list[KnownFinding]:
    """The baseline's findings of this model that no longer occur. An undecided rule does not count."""
    if not was_measured(report):
        return []
    there = {finding.code for finding in report.findings} | {skipped.code for skipped in report.skipped}
    return [
        KnownFinding(model=report.evidence.model.id, code=code, severity=severity)
        for code, severity in report.judgement.known.items()
        if code not in there
    ]
