"""The only composer: measure, then judge. Torch is imported in here, when a model is really wanted."""

from padcheck.judge import judge
from padcheck.progress import Progress
from padcheck.report import Report, Survey
from padcheck.settings import JudgeSettings, MeasureSettings, SurveySettings


def compare(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Runs the prompts unpadded, left-padded and right-padded, and judges what padding changed.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.measure import measure_model

    return judge("compare", measure_model(measure, progress), judgement)


def inspect_tokenizer(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Judges tokenizer, config and generation_config; no weights are loaded.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.inspection import inspect

    return judge("inspect-tokenizer", inspect(measure, progress).evidence, judgement)


def survey(wanted: SurveySettings, measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Survey:
    """Judges every model type that is wanted, or all that the installed transformers has a causal language model for.

    Raises:
        UsageError: A model type, a code, a dtype or a device is unknown here.
    """
    from padcheck import survey as surveys

    return surveys.survey(wanted, measure, judgement, progress)


def judge_again(report: Report | Survey, judgement: JudgeSettings) -> Report | Survey:
    """The same evidence under other tolerances and rules; no model is needed.

    Raises:
        UsageError: A survey is to be judged with other tolerances, or a code is unknown.
    """
    if isinstance(report, Survey):
        from padcheck import survey as surveys

        return surveys.judge_again(report, judgement)
    return judge(report.command, report.evidence, judgement)
