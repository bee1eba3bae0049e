"""The check: several models, each measured and judged as its settings have it."""

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from padcheck.core.errors import ISSUES, NotMeasuredError, PadcheckError, UsageError, memory_ran_out
from padcheck.core.evidence import Evidence
from padcheck.core.exit_codes import ExitCode
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
from padcheck.judging.baseline import Baseline, says_what_is_there
from padcheck.judging.judge import rejudge, require_known_codes
from padcheck.running.imports import importing
from padcheck.running.local_pool import Lost
from padcheck.running.one_model import measure_and_judge
from padcheck.running.ray_pool import Cluster


class Job(NamedTuple):
    """One model of a check: what to measure, and how to judge it."""

    measure: MeasureSettings
    judgement: JudgeSettings


def check(
    jobs: Iterable[Job],
    baseline: Baseline,
    progress: Progress,
    configuration: ConfigurationFile | None = None,
    ray: str | None = None,
) -> Check:
    """Measures and judges several models; one that cannot be measured stops none of the others.

    They run in this process, one after another, or on the Ray cluster at the address `ray`. A finding that the baseline
    knows makes no model fail.

    Raises:
        UsageError: A code, a dtype or a device is unknown here; or the only model does not take one of its options.
        NotMeasuredError: There is no such cluster.
    """
    elsewhere = None if ray is None else Cluster(ray, lambda job: job.measure.device).run_each
    jobs = [Job(measure, replace(judgement, known=baseline.of(measure.model))) for measure, judgement in jobs]
    with progress.stage("looking at the settings", "import"), importing():
        from padcheck.hf.load.weights import dtype_and_device
        from padcheck.hf.parallel.ranks import joined

        for job in jobs:  # what is wrong is said before anything is measured
            require_known_codes(job.judgement)
            # Elsewhere there may be other devices.
            dtype_and_device(job.measure if elsewhere is None else replace(job.measure, device=None))
    run = _run if len(jobs) == 1 else _run_one_of_several
    if elsewhere is None:
        with joined(wanted=any(job.measure.tp_plan for job in jobs)):
            return _checked((run(job, progress) for job in jobs), configuration)
    reports: dict[str, Report | Unmeasured] = {}
    with progress.steps("checking", len(jobs)) as done:
        for job, result in elsewhere(partial(run, progress=Silent()), jobs):
            name = job.measure.model
            reports[name] = _lost(job, result) if isinstance(result, Lost) else result
            done(name)
    return _checked((reports[job.measure.model] for job in jobs), configuration)


def by_attention(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Check:
    """One model with each attention implementation that it has here, first with its own.

    Raises:
        UsageError: A code, a dtype or a device is unknown here, or the model does not take one of its options.
    """
    require_known_codes(judgement)
    with progress.stage("importing torch and transformers", "import"), importing():
        from padcheck.hf.parallel.ranks import joined

    def runs(implementation: str | None) -> Job:
        return Job(replace(measure, attn_implementation=implementation), judgement)

    with joined(wanted=measure.tp_plan is not None):
        first = _run(runs(None), progress)
        model = first.evidence.model if isinstance(first, Report) else None
        others = (
            [] if model is None else [each for each in model.attn_implementations if each != model.attn_implementation]
        )
        return _checked([first, *(_run_one_of_several(runs(each), progress) for each in others)], None)


def judge_again(check: Check, changes: Mapping[str, Any]) -> Check:
    """The same evidence, each model judged as it was but for these settings of `JudgeSettings`.

    Raises:
        UsageError: A code is unknown.
    """
    return _checked((_judged_again(report, changes) for report in check.reports), check.configuration)


def accept(check: Check, baseline: Baseline) -> Check:
    """The same check under another baseline: that which was just written."""
    reports = [
        _judged_again(report, {"known": baseline.of(report.evidence.model.id)})
        if isinstance(report, Report)
        else report
        for report in check.reports
    ]
    return _checked(reports, check.configuration)


def _lost(job: Job, lost: Lost) -> Unmeasured:
    error = NotMeasuredError(f"There is no result: {lost.reason}.", change="Look whether `padcheck compare` runs it.")
    return _unmeasured(job, error.exit_code, error)


def _run_one_of_several(job: Job, progress: Progress) -> Report | Unmeasured:
    try:
        return _run(job, progress)
    except UsageError as error:  # the others may take the option that this one does not
        return _unmeasured(job, ExitCode.NOT_MEASURED, error)


def _run(job: Job, progress: Progress) -> Report | Unmeasured:
    try:
        from padcheck.hf.measure import measure_model
        from padcheck.hf.parallel.ranks import in_step

        def measured(watch: Progress) -> Evidence:
            with in_step():
                return measure_model(job.measure, watch)

        return measure_and_judge("compare", measured, job.judgement, progress)
    except NotMeasuredError as error:
        return _unmeasured(job, error.exit_code, error)
    except UsageError:
        raise
    except MemoryError:
        return _unmeasured(job, ExitCode.NOT_MEASURED, memory_ran_out())
    except Exception as error:  # noqa: BLE001  one model must not stop the others
        bug = PadcheckError(
            f"A bug in padcheck: {type(error).__name__}: {error}", change=f"Please report it: {ISSUES}."
        )
        return _unmeasured(job, ExitCode.BUG, bug, "".join(traceback.format_exception(error)))


def _unmeasured(job: Job, exit_code: ExitCode, error: PadcheckError, trace: str | None = None) -> Unmeasured:
    return Unmeasured(
        status=STATUS[exit_code],
        exit_code=exit_code,
        model=UnmeasuredModel(id=job.measure.model),
        error=Reason(what=error.what, meaning=error.meaning, change=error.change),
        traceback=trace,
    )


def _judged_again(report: Report | Unmeasured, changes: Mapping[str, Any]) -> Report | Unmeasured:
    if isinstance(report, Unmeasured):
        return report
    return rejudge(report, changes)


def _checked(reports: Iterable[Report | Unmeasured], configuration: ConfigurationFile | None) -> Check:
    reports = tuple(reports)
    exit_code = max(report.exit_code for report in reports)
    return Check(
        status=STATUS[exit_code],
        exit_code=exit_code,
        configuration=configuration,
        reports=reports,
        vanished=tuple(known for report in reports if isinstance(report, Report) for known in _vanished(report)),
    )


def _vanished(report: Report) -> list[KnownFinding]:
    """What the baseline knows of this model and is gone: a rule that could not be decided says nothing of it."""
    if not says_what_is_there(report):
        return []
    there = {finding.code for finding in report.findings} | {skipped.code for skipped in report.skipped}
    return [
        KnownFinding(model=report.evidence.model.id, code=code, severity=severity)
        for code, severity in report.judgement.known.items()
        if code not in there
    ]
