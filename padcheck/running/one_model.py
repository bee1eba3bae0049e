"""Measures, judges and times one model. Every command, the Python API and the pytest plugin use this module."""

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
    from padcheck.hf.in_memory import Config, GenerationSettings, Model, Tokenizer


def compare(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Runs the prompts unpadded, left-padded and right-padded, and judges the differences.

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


def compare_in_step(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """The same for one of several models: the caller has already joined the ranks of torchrun.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.measure import measure_model
    from padcheck.hf.parallel.ranks import in_step

    def measured(watch: Progress) -> Evidence:
        with in_step():
            return measure_model(measure, watch)

    return measure_and_judge("compare", measured, judgement, progress)


def compare_architecture(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """The same for a model type at toy size, without a tokenizer or config from the hub.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.load.without_weights import load_architecture
    from padcheck.hf.measure import measure_model

    return measure_and_judge(
        "compare", lambda watch: measure_model(measure, watch, load_architecture), judgement, progress
    )


def compare_in_memory(
    model: "Model", tokenizer: "Tokenizer", measure: MeasureSettings, judgement: JudgeSettings, progress: Progress
) -> Report:
    """The same for a model and a tokenizer in memory. Both are unchanged afterwards.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.in_memory import measure_in_memory

    return measure_and_judge(
        "compare", lambda watch: measure_in_memory(model, tokenizer, measure, watch), judgement, progress
    )


def inspect_tokenizer(measure: MeasureSettings, judgement: JudgeSettings, progress: Progress) -> Report:
    """Judges tokenizer, config and generation_config. No weights are loaded.

    Raises:
        PadcheckError: Nothing could be measured.
    """

    def inspected(watch: Progress) -> Evidence:
        with watch.stage("importing transformers", "import"), importing():
            from padcheck.hf.inspection import inspect

        return inspect(measure, watch).evidence

    return measure_and_judge("inspect-tokenizer", inspected, judgement, progress)


def inspect_in_memory(
    tokenizer: "Tokenizer",
    config: "Config | None",
    generation_config: "GenerationSettings | None",
    *,
    measure: MeasureSettings,
    judgement: JudgeSettings,
    progress: Progress,
) -> Report:
    """The same for objects in memory, which are unchanged afterwards.

    Raises:
        PadcheckError: Nothing could be measured.
    """
    from padcheck.hf.in_memory import inspect_in_memory as inspected

    return measure_and_judge(
        "inspect-tokenizer",
        lambda watch: inspected(tokenizer, config, generation_config, measure, watch),
        judgement,
        progress,
    )


def measure_and_judge(
    command: Command, measured: Callable[[Progress], Evidence], judgement: JudgeSettings, progress: Progress
) -> Report:
    """Turns a measurement into a report, which says how long each stage took. No other code does this.

    Args:
        command: The command in the report.
        measured: Measures the model, and reports its stages to the given progress.
        judgement: How to judge.
        progress: Shows each stage.

    Raises:
        UsageError: `select` or `ignore` has an unknown code. This is found before anything is measured.
        PadcheckError: Nothing could be measured.
    """
    require_known_codes(judgement)
    watch = Stopwatch(progress)
    evidence = measured(watch)
    with watch.stage("judging", "judge"):
        report = judge(command, evidence, judgement)
    return replace(report, seconds=watch.seconds)
