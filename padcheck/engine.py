"""The only composer: measure, then judge. Torch is imported in here, when a model is really wanted."""

from padcheck.judge import judge
from padcheck.progress import Progress
from padcheck.report import Report
from padcheck.settings import JudgeSettings, MeasureSettings


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


def judge_again(report: Report, judgement: JudgeSettings) -> Report:
    """The same evidence under other tolerances and rules; no model is needed."""
    return judge(report.command, report.evidence, judgement)
