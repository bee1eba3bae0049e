"""One model: measured, judged and timed. Every command, the Python API and the pytest plugin come through here."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from padcheck.core.evidence import Evidence
from padcheck.core.progress import Progress, Stopwatch
from padcheck.core.report import Command, Report
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.judging.judge import judge, require_known_codes
from padcheck.running.imports import importing

if TYPE_CHECKING:
    from padcheck.hf.in_memory import Model, Tokenizer


def compare(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Runs the prompts unpadded, left-padded and right-padded, and judges what padding changed.

    Raises:
        PadcheckError: Nothing could be measured.
    """

    def measured(watch: Progress) -> Evidence:
        with watch.stage("importing torch and transformers", "import"), importing():
            from padcheck.hf.measure import measure_model
            from padcheck.hf.parallel.ranks import joined

        with joined(wanted=measure.tp_plan is not None):
            return measure_model(measure, watch)

    return measure_and_judge("compare", measured, judgement, progress)


def compare_in_memory(
    model: "Model", tokenizer: "Tokenizer", measure: MeasureSettings, judgement: JudgeSettings, progress: Progress
) -> Report:
    """The same for a model and a tokenizer in memory, which are left as they were found.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.in_memory import measure_in_memory

    return measure_and_judge(
        "compare", lambda watch: measure_in_memory(model, tokenizer, measure, watch), judgement, progress
    )


def inspect_tokenizer(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Judges tokenizer, config and generation_config; no weights are loaded.

    Raises:
        PadcheckError: Nothing could be measured.
    """

    def inspected(watch: Progress) -> Evidence:
        with watch.stage("importing transformers", "import"), importing():
            from padcheck.hf.inspection import inspect

        return inspect(measure, watch).evidence

    return measure_and_judge("inspect-tokenizer", inspected, judgement, progress)


def measure_and_judge(
    command: Command, measured: Callable[[Progress], Evidence], judgement: JudgeSettings, progress: Progress
) -> Report:
    """The only place where a measurement becomes a report; the report says how long each stage took.

    Args:
        command: What the report is called.
        measured: Measures, and tells the progress that it is given of each stage.
        judgement: How to judge.
        progress: Told of each stage.

    Raises:
        UsageError: `select` or `ignore` names no rule; this is found before anything is measured.
        PadcheckError: Nothing could be measured.
    """
    require_known_codes(judgement)
    watch = Stopwatch(progress)
    evidence = measured(watch)
    with watch.stage("judging", "judge"):
        report = judge(command, evidence, judgement)
    return replace(report, seconds=watch.seconds)
