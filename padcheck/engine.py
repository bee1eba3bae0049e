"""The only composer: measure, then judge. Torch is imported in here, when a model is really wanted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from padcheck.heavy import importing
from padcheck.judge import judge, judge_watched, require_known_codes
from padcheck.progress import Progress, Stopwatch
from padcheck.report import Check, ConfigurationFile, Document, Report, Survey
from padcheck.settings import JudgeSettings, MeasureSettings, SurveySettings

if TYPE_CHECKING:
    from padcheck.baseline import Baseline
    from padcheck.check import Job
    from padcheck.hf.in_memory import Model, Tokenizer
    from padcheck.workers import RunEach


def compare(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Runs the prompts unpadded, left-padded and right-padded, and judges what padding changed.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    watch = Stopwatch(progress)
    with watch.stage("importing torch and transformers", "import"), importing():
        from padcheck.hf.measure import measure_model
        from padcheck.hf.ranks import joined

    with joined(wanted=measure.tp_plan is not None):
        return judge_watched("compare", measure_model(measure, watch), judgement, watch)


def compare_attention(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Check:
    """The same with each attention implementation that the model has here.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck import check as checks

    return checks.by_attention(checks.Job(measure, judgement), progress)


def compare_in_memory(
    model: "Model", tokenizer: "Tokenizer", measure: MeasureSettings, judgement: JudgeSettings, progress: Progress
) -> Report:
    """The same for objects that are in memory already, and are left as they were found.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    require_known_codes(judgement)
    watch = Stopwatch(progress)
    from padcheck.hf.in_memory import measure_in_memory

    return judge_watched("compare", measure_in_memory(model, tokenizer, measure, watch), judgement, watch)


def inspect_tokenizer(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Judges tokenizer, config and generation_config; no weights are loaded.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    watch = Stopwatch(progress)
    with watch.stage("importing transformers", "import"), importing():
        from padcheck.hf.inspection import inspect

    return judge_watched("inspect-tokenizer", inspect(measure, watch).evidence, judgement, watch)


def check(
    jobs: "Iterable[Job]",
    baseline: "Baseline",
    progress: Progress,
    configuration: ConfigurationFile | None = None,
    ray: str | None = None,
) -> Check:
    """Measures and judges several models, against what a baseline knows, in this process or on a Ray cluster.

    Raises:
        UsageError: A code, a dtype or a device is unknown here.
        NotMeasuredError: There is no such cluster.
    """
    from padcheck import check as checks

    elsewhere = None if ray is None else _cluster(ray, lambda job: job.measure.device)
    return checks.check(jobs, baseline, progress, configuration, elsewhere)


def accept(found: Check, baseline: "Baseline") -> Check:
    """The same check under another baseline: that which was just written."""
    from padcheck import check as checks

    return checks.accept(found, baseline)


def survey(
    wanted: SurveySettings,
    measure: MeasureSettings,
    judgement: JudgeSettings,
    progress: Progress,
    ray: str | None = None,
) -> Survey:
    """Judges every model type that is wanted, or all that the installed transformers has a causal language model for.

    They run in processes of this machine, or on a Ray cluster.

    Raises:
        UsageError: A model type, a code, a dtype or a device is unknown here.
        NotMeasuredError: There is no such cluster.
    """
    from padcheck import survey as surveys

    elsewhere = None if ray is None else _cluster(ray, lambda _model_type: measure.device)
    return surveys.survey(wanted, measure, judgement, progress, elsewhere)


def _cluster(address: str, device_of: Callable[[Any], str | None]) -> "RunEach":
    from padcheck.cluster import Cluster

    return Cluster(address, device_of).run_each


def judge_again(document: Document, changes: Mapping[str, Any]) -> Document:
    """The same evidence, judged as it was but for these settings of `JudgeSettings`; no model is needed.

    Raises:
        UsageError: A survey is to be judged with other tolerances, or a code is unknown.
    """
    if isinstance(document, Survey):
        from padcheck import survey as surveys

        return surveys.judge_again(document, changes)
    if isinstance(document, Check):
        from padcheck import check as checks

        return checks.judge_again(document, changes)
    return judge(document.command, document.evidence, replace(document.judgement, **changes))
