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
from padcheck.core.report import STATUS, Architecture, Comparison, Report, Survey
from padcheck.core.run_plans import MODES, SINGLE
from padcheck.core.settings import JudgeSettings, MeasureSettings, SurveySettings
from padcheck.judging.compare import open_case
from padcheck.judging.judge import require_known_codes
from padcheck.judging.known_limits import KNOWN_LIMITS
from padcheck.running.failures import Failure, report_or_failure
from padcheck.running.imports import importing
from padcheck.running.local_pool import Lost, run_each
from padcheck.running.one_model import compare_architecture
from padcheck.running.ray_pool import Cluster

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
}
"""The runs that a survey keeps, by their keys in its JSON. Those of modes are added under their own names."""


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
    judge_one = partial(_judge_architecture, measure=measure, judgement=judgement)
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
    settings["with_modes"] = measure.modes
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


def _judge_architecture(model_type: str, measure: MeasureSettings, judgement: JudgeSettings) -> Architecture:
    """Runs in a worker process."""
    started = time.monotonic()
    toy = replace(measure, model=model_type, tiny=True)
    # An architecture may not accept an option, such as an attention implementation, that the others accept.
    report = report_or_failure(lambda: compare_architecture(toy, judgement, Silent()), raise_usage_errors=False)
    seconds = time.monotonic() - started
    if isinstance(report, Failure):
        return _not_judged(model_type, report.error.what, report.exit_code, seconds)
    return _summary(model_type, report, judgement, seconds)


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
