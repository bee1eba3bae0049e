"""`padcheck survey`: builds the architectures of the installed transformers at toy size and judges each of them."""

import time
from dataclasses import replace
from difflib import get_close_matches
from functools import partial

import msgspec

from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import Environment
from padcheck.core.progress import Progress, Silent
from padcheck.core.report import STATUS, Architecture, Report, Survey
from padcheck.core.run_plans import MODES, SINGLE
from padcheck.core.settings import JudgeSettings, MeasureSettings, SurveySettings
from padcheck.core.use_case import Task
from padcheck.core.variant_name import variant_name
from padcheck.core.verdicts import Comparison, Finding, Verdict
from padcheck.judging.compare import open_case
from padcheck.judging.judge import require_known_codes
from padcheck.judging.known_limits import KNOWN_LIMITS
from padcheck.running.failures import Failure, report_or_failure
from padcheck.running.imports import importing
from padcheck.running.local_pool import Lost, run_each
from padcheck.running.one_model import compare_architecture
from padcheck.running.ray_pool import Cluster
from padcheck.running.survey_tasks import with_tasks

_RUNS = {
    "left_generate": "left",
    "right_generate": "right",
    "left_forward_no_position_ids": "left_forward",
    "left_forward_position_ids": "left_forward_positions",
    "right_score": "right_forward",
    "right_continue": "right_continued",
    "left_no_mask": "left_no_mask",
    "batch_of_copies": "batched",
    "forward_alone": "forward",
    "packed": "packed",
}
"""The runs that a survey keeps, by their keys in its JSON. Those of modes are added under their own names."""

_UNCLEAR = 0.01
"""Logit units. Rounding in float32 stays far below it, unless it flips a choice such as a router's or a top-k."""


def survey(
    wanted: SurveySettings,
    measure: MeasureSettings,
    judgement: JudgeSettings,
    progress: Progress,
    ray: str | None = None,
) -> Survey:
    """Judges model types of the installed transformers. If one cannot be built, crashes or hangs, the others still run.

    Args:
        wanted: Which model types.
        measure: What to measure of each.
        judgement: How to judge each.
        progress: Shows what is running.
        ray: The address of the Ray cluster to run on. If it is None, worker processes of this machine run them.

    Raises:
        UsageError: A model type, a code, a dtype or a device is unknown.
        NotMeasuredError: The cluster cannot be reached.
    """
    run_each_on_ray = None if ray is None else Cluster(ray, lambda _model_type: measure.device).run_each
    require_known_codes(judgement)
    with progress.stage("looking up the model types", "import"), importing():
        from padcheck.hf.library.auto_classes import causal_model_types, multimodal_model_types
        from padcheck.hf.library.versions import environment
        from padcheck.hf.load.weights import dtype_and_device

        # Checked before the first architecture runs. The cluster may have other devices than this machine.
        dtype_and_device(measure if run_each_on_ray is None else replace(measure, device=None))
        causal, multimodal = causal_model_types(), multimodal_model_types()
    for model_type in wanted.model_types:
        _require_known(model_type, (*causal, *multimodal))
    model_types = tuple(dict.fromkeys(wanted.model_types)) or (*causal, *(multimodal if wanted.multimodal else ()))
    judge_one = partial(_judge_architecture, measure=measure, judgement=judgement, tasks=wanted.tasks)
    judged = {}
    calls = (run_each_on_ray or run_each)(
        judge_one, model_types, prepare=_import_all, processes=wanted.jobs, seconds=wanted.timeout
    )
    with progress.steps("surveying", len(model_types)) as done:
        for model_type, result in calls:
            judged[model_type] = (
                _not_judged(model_type, result.reason, ExitCode.NOT_MEASURED, wanted.timeout)
                if isinstance(result, Lost)
                else result
            )
            done(model_type)
    settings: dict[str, object] = {
        key: getattr(measure, key) for key in ("dtype", "device", "attn_implementation", "max_new_tokens", "seed")
    }
    settings |= {"with_modes": measure.modes, "tasks": wanted.tasks}
    return compose_survey([judged[model_type] for model_type in model_types], environment(), settings, judgement)


def compose_survey(
    architectures: list[Architecture], environment: Environment, settings: dict[str, object], judgement: JudgeSettings
) -> Survey:
    """The survey with these architectures."""
    exit_code = max((architecture.exit_code for architecture in architectures), default=ExitCode.NOT_MEASURED)
    return Survey(
        status=STATUS[exit_code],
        exit_code=exit_code,
        environment=environment,
        settings=settings,
        judgement=judgement,
        architectures=tuple(architectures),
    )


def _require_known(model_type: str, known: tuple[str, ...]) -> None:
    if model_type in known:
        return
    near = get_close_matches(model_type.lower(), known)
    raise UsageError(
        f"{model_type} is not a model type for which the installed transformers has a language model.",
        meaning="`padcheck survey` takes model types, such as llama. For a hub id or a folder use `padcheck compare`.",
        change=f"Did you mean {' or '.join(near)}?"
        if near
        else f"There are {len(known)} model types, from {min(known)} to {max(known)}.",
    )


def _import_all() -> None:
    """Runs once in each worker process, so that the time of an architecture does not include the imports."""
    with importing():
        import padcheck.hf.measure  # noqa: F401


def _judge_architecture(
    model_type: str, measure: MeasureSettings, judgement: JudgeSettings, tasks: tuple[Task, ...] = ()
) -> Architecture:
    """Judges a model type and its variants. Runs in a worker process."""
    from padcheck.hf.toys.variants import variants_of

    variants = (None, *variants_of(model_type))
    judged = [_judge_variant(model_type, variant, measure, judgement, tasks) for variant in variants]
    return compose_architecture(judged)


def compose_architecture(variants: list[Architecture]) -> Architecture:
    """The entry of a model type: the only variant itself, or the worst of each verdict and all codes."""
    default, *others = variants
    if not others:
        return default
    judged = [each for each in variants if each.status == "judged"]
    runs = dict.fromkeys(run for each in judged for run in each.verdicts)
    worst = {run: max((each for each in judged if run in each.verdicts), key=partial(_badness, run)) for run in runs}
    found: dict[str, Finding] = {}
    for each in judged:
        for finding in each.details:
            if finding.code not in found or finding.severity.rank > found[finding.code].severity.rank:
                evidence = finding.evidence if each.variant is None else finding.evidence | {"variant": each.variant}
                found[finding.code] = msgspec.structs.replace(finding, evidence=evidence)
    details = sorted(found.values(), key=lambda finding: (-finding.severity.rank, finding.code))
    return msgspec.structs.replace(
        default,
        exit_code=max(each.exit_code for each in variants),
        verdicts={run: each.verdicts[run] for run, each in worst.items()},
        max_abs_diffs={run: each.max_abs_diffs[run] for run, each in worst.items()},
        allowed=max((each.allowed for each in judged if each.allowed is not None), default=None),
        findings=tuple(finding.code for finding in details),
        seconds=round(sum(each.seconds for each in variants), 3),
        details=tuple(details),
        variants=tuple(variants),
    )


def _badness(run: str, architecture: Architecture) -> tuple[int, float]:
    """Harmless first. A run that did not happen is worse than one that is right."""
    verdict, far = architecture.verdicts[run], architecture.max_abs_diffs.get(run)
    order = (Verdict.IDENTICAL, Verdict.EQUIVALENT, Verdict.NOT_RUN, Verdict.DIFFERENT, Verdict.NON_FINITE)
    return order.index(verdict), far or 0.0


def _judge_variant(
    model_type: str,
    variant: str | None,
    measure: MeasureSettings,
    judgement: JudgeSettings,
    tasks: tuple[Task, ...] = (),
) -> Architecture:
    """One variant; in float64 once more if float32 cannot tell rounding from a fault."""
    started = time.monotonic()
    toy = replace(measure, model=variant_name(model_type, variant), tiny=True)
    judged = _judge_toy(toy, model_type, judgement)
    if judged.dtype == "float32" and _is_unclear(judged):
        in_float64 = _judge_toy(replace(toy, dtype="float64"), model_type, judgement)
        judged = in_float64 if in_float64.status == "judged" else judged
    judged = with_tasks(judged, toy, judgement, tasks)
    return msgspec.structs.replace(judged, variant=variant, seconds=round(time.monotonic() - started, 3))


def _judge_toy(toy: MeasureSettings, model_type: str, judgement: JudgeSettings) -> Architecture:
    started = time.monotonic()
    # An architecture may not accept an option, such as an attention implementation, that the others accept.
    report = report_or_failure(lambda: compare_architecture(toy, judgement, Silent()), raise_usage_errors=False)
    if isinstance(report, Failure):
        return _not_judged(model_type, report.error.what, report.exit_code, time.monotonic() - started)
    return _summary(model_type, report, judgement, time.monotonic() - started)


def _is_unclear(architecture: Architecture) -> bool:
    """True if rounding may explain a difference that may also be a fault."""
    far = architecture.max_abs_diffs
    return any(
        verdict.within_rounding and (far[key] or 0.0) > _UNCLEAR for key, verdict in architecture.verdicts.items()
    )


def _summary(model_type: str, report: Report, judgement: JudgeSettings, seconds: float) -> Architecture:
    if report.evidence.runs[SINGLE].error is not None or report.status == "not_measured":
        return _not_judged(model_type, _why_not(report), ExitCode.NOT_MEASURED, seconds)
    of_modes = {run: run for name in report.evidence.modes for run in (MODES[name].alone, MODES[name].left)}
    runs = _RUNS | of_modes
    compared = {key: report.comparisons[run] for key, run in runs.items() if run in report.comparisons}
    compared["left_first_token"] = _first_token(report, judgement)
    limit = KNOWN_LIMITS.get(model_type)
    return Architecture(
        model_type=model_type,
        architecture=report.evidence.model.architecture,
        status="judged",
        exit_code=report.exit_code,
        position_encoding=report.evidence.model.position_encoding,
        verdicts={key: comparison.verdict for key, comparison in compared.items()},
        max_abs_diffs={key: comparison.max_abs_diff for key, comparison in compared.items()},
        allowed=report.comparisons["left"].allowed,
        findings=tuple(finding.code for finding in report.findings),
        known_limit=None if limit is None else limit.reason,
        seconds=round(seconds, 3),
        library_behaviour=report.library_behaviour,
        dtype=report.evidence.model.dtype,
        details=report.findings,
    )


def _why_not(report: Report) -> str:
    for run in (report.evidence.runs[SINGLE], report.evidence.runs["left"]):
        if run.error is not None:
            return f"{run.description} raises: {run.error}"
    return "a fault made on purpose does not show"


def _first_token(report: Report, judgement: JudgeSettings) -> Comparison:
    """The verdict on only the first new token of the left-padded batch, which does not depend on the cache."""
    first = {
        "left": tuple(
            msgspec.structs.replace(row, steps=row.steps[:1], flip=None) for row in report.evidence.differences["left"]
        )
    }
    evidence = msgspec.structs.replace(report.evidence, differences=report.evidence.differences | first)
    case, _ = open_case(evidence, judgement.atol, judgement.rtol)
    return case.comparisons["left"]


def _not_judged(model_type: str, reason: str, exit_code: ExitCode, seconds: float) -> Architecture:
    return Architecture(
        model_type=model_type, status="not_built", exit_code=exit_code, reason=reason, seconds=round(seconds, 3)
    )
