"""Which runs a reader is shown, and which differences are no surprise."""

from padcheck.core.report import Report
from padcheck.core.run_plans import EXPECTED_TO_DIFFER, MODES, RUN_PLANS, USER_RUNS, RunName
from padcheck.core.verdicts import Verdict

_SCORING: tuple[RunName, ...] = ("forward", "left_forward_positions", "right_forward")
"""How padded prompts are scored, on each side; the first one is each prompt alone."""


def deciding_run(report: Report) -> RunName:
    """The run whose verdict is that of the report: it runs the model as the caller does."""
    return report.judgement.use.run


def shown_runs(report: Report) -> tuple[RunName, ...]:
    """Each prompt alone, then padded as the caller's code pads: on the sides and for the task that are judged."""
    use = report.judgement.use
    runs = USER_RUNS if use.task in (None, "generate") else _SCORING
    return tuple(name for name in runs if use.pads(RUN_PLANS[name].padding_side))


def runs_of_modes(report: Report) -> list[RunName]:
    """The runs of the modes that were asked for."""
    return [run for name in report.evidence.modes for run in (MODES[name].alone, MODES[name].left)]


def is_expected(report: Report, name: str) -> bool:
    """True if a run differs although nothing is wrong: a healthy model differs there too."""
    differs = report.comparisons[name].verdict is Verdict.DIFFERENT
    return differs and name in EXPECTED_TO_DIFFER and name != deciding_run(report)
