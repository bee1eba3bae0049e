"""The survey: the architectures of the installed transformers at toy size, each judged like any model."""

import time
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any

import msgspec

from padcheck.core.errors import PadcheckError, UsageError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import Environment
from padcheck.core.progress import Progress, Silent
from padcheck.core.report import STATUS, Architecture, Comparison, Report, Survey
from padcheck.core.run_plans import SINGLE
from padcheck.core.settings import JudgeSettings, MeasureSettings, SurveySettings
from padcheck.judging.compare import open_case
from padcheck.judging.judge import require_known_codes
from padcheck.judging.known_limits import KNOWN_LIMITS
from padcheck.running.imports import importing
from padcheck.running.local_pool import Lost, run_each
from padcheck.running.one_model import measure_and_judge
from padcheck.running.ray_pool import Cluster

_ARMS = {
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
"""What a survey calls the arms that it tells of."""


def survey(
    wanted: SurveySettings,
    measure: MeasureSettings,
    judgement: JudgeSettings,
    progress: Progress,
    ray: str | None = None,
) -> Survey:
    """Judges every model type that is wanted, or all that the installed transformers has a causal language model for.

    One that cannot be built, crashes or hangs stops none of the others. They run in processes of this machine, or on
    the Ray cluster at the address `ray`.

    Raises:
        UsageError: A model type, a code, a dtype or a device is unknown here.
        NotMeasuredError: There is no such cluster.
    """
    elsewhere = None if ray is None else Cluster(ray, lambda _model_type: measure.device).run_each
    require_known_codes(judgement)
    with progress.stage("looking up the model types", "import"), importing():
        from padcheck.hf.library.auto_classes import causal_model_types, multimodal_model_types
        from padcheck.hf.load.weights import dtype_and_device
        from padcheck.hf.tokenizer.facts import environment

        # What is wrong for every architecture is wrong before the first; elsewhere there may be other devices.
        dtype_and_device(measure if elsewhere is None else replace(measure, device=None))
        causal, multimodal = causal_model_types(), multimodal_model_types()
    for model_type in wanted.model_types:
        _require_known(model_type, (*causal, *multimodal))
    model_types = tuple(dict.fromkeys(wanted.model_types)) or (*causal, *(multimodal if wanted.multimodal else ()))
    judge_one = partial(_judge_architecture, measure=measure, judgement=judgement)
    judged = {}
    calls = (elsewhere or run_each)(
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
    return _survey([judged[model_type] for model_type in model_types], environment(), settings, judgement)


def judge_again(survey: Survey, changes: Mapping[str, Any]) -> Survey:
    """The same survey with another --fail-on.

    Raises:
        UsageError: Anything else is given: what the rules would then have said is not known.
    """
    if changes.keys() - {"fail_on"}:
        raise UsageError(
            "--atol, --rtol, --select, --ignore, --task and --padding-side do not go with a saved survey.",
            meaning="It keeps what was found, and not what was measured.",
            change="Run `padcheck survey` again with them.",
        )
    judgement = replace(survey.judgement, **changes)
    architectures = [_judged_again(architecture, judgement) for architecture in survey.architectures]
    return _survey(architectures, survey.environment, survey.settings, judgement)


def _survey(
    architectures: list[Architecture], environment: Environment, settings: dict[str, object], judgement: JudgeSettings
) -> Survey:
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
        f"{model_type} is no model type that the installed transformers has a language model for.",
        meaning="A survey takes model types, such as llama; `padcheck compare MODEL` takes a hub id or a folder.",
        change=f"Did you mean {' or '.join(near)}?"
        if near
        else f"It knows {len(known)}, from {min(known)} to {max(known)}.",
    )


def _import_all() -> None:
    """Once in each worker process, so that no architecture's time has it in it."""
    with importing():
        import padcheck.hf.measure  # noqa: F401


def _judge_architecture(model_type: str, measure: MeasureSettings, judgement: JudgeSettings) -> Architecture:
    """Runs in a worker process."""
    started = time.monotonic()
    try:
        from padcheck.hf.load.without_weights import load_architecture
        from padcheck.hf.measure import measure_model

        toy = replace(measure, model=model_type, tiny=True)
        report = measure_and_judge(
            "compare", lambda watch: measure_model(toy, watch, load_architecture), judgement, Silent()
        )
    except PadcheckError as error:  # an attention implementation that this one lacks, too
        return _not_judged(model_type, error.what, ExitCode.NOT_MEASURED, time.monotonic() - started)
    except Exception as error:  # noqa: BLE001  one architecture must not stop the others
        reason = f"a bug in padcheck: {type(error).__name__}: {error}"
        return _not_judged(model_type, reason, ExitCode.BUG, time.monotonic() - started)
    return _summary(model_type, report, judgement, time.monotonic() - started)


def _summary(model_type: str, report: Report, judgement: JudgeSettings, seconds: float) -> Architecture:
    if report.evidence.runs[SINGLE].error is not None or report.status == "not_measured":
        return _not_judged(model_type, _why_not(report), ExitCode.NOT_MEASURED, seconds)
    compared = {name: report.comparisons[arm] for name, arm in _ARMS.items() if arm in report.comparisons}
    compared["left_first_token"] = _first_token(report, judgement)
    limit = KNOWN_LIMITS.get(model_type)
    return Architecture(
        model_type=model_type,
        architecture=report.evidence.model.architecture,
        status="judged",
        exit_code=report.exit_code,
        position_encoding=report.evidence.model.position_encoding,
        verdicts={name: comparison.verdict for name, comparison in compared.items()},
        max_abs_diffs={name: comparison.max_abs_diff for name, comparison in compared.items()},
        allowed=report.comparisons["left"].allowed,
        findings=tuple(finding.code for finding in report.findings),
        known_limit=None if limit is None else limit.reason,
        seconds=round(seconds, 3),
        library_behaviour=report.library_behaviour,
        details=report.findings,
    )


def _why_not(report: Report) -> str:
    for arm in (SINGLE, "left"):
        if (error := report.evidence.runs[arm].error) is not None:
            return f"{report.evidence.runs[arm].description} raises: {error}"
    return "a fault made on purpose does not show"


def _first_token(report: Report, judgement: JudgeSettings) -> Comparison:
    """Of the left-padded batch only the first new token, which the prompt alone decides and no cache."""
    first = {
        "left": tuple(
            msgspec.structs.replace(row, steps=row.steps[:1], flip=None) for row in report.evidence.differences["left"]
        )
    }
    evidence = msgspec.structs.replace(report.evidence, differences=report.evidence.differences | first)
    case, _ = open_case(evidence, judgement.atol, judgement.rtol)
    return case.comparisons["left"]


def _judged_again(architecture: Architecture, judgement: JudgeSettings) -> Architecture:
    if architecture.status != "judged":
        return architecture
    failing = any(judgement.fails(finding.severity) for finding in architecture.details)
    return msgspec.structs.replace(architecture, exit_code=ExitCode.FINDINGS if failing else ExitCode.OK)


def _not_judged(model_type: str, reason: str, exit_code: ExitCode, seconds: float) -> Architecture:
    return Architecture(
        model_type=model_type, status="not_built", exit_code=exit_code, reason=reason, seconds=round(seconds, 3)
    )
