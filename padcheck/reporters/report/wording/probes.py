"""The probes: how far each one is from its reference, and which ones did not run."""

from padcheck.core.evidence import PadCountSweep
from padcheck.core.report import Report
from padcheck.core.run_plans import SINGLE, USER_RUNS, RunName
from padcheck.core.verdicts import Verdict
from padcheck.reporters.report.wording.runs import runs_of_modes
from padcheck.reporters.report.wording.verdicts import verdict

HEADINGS = ("probe", "verdict", "largest difference")

_ALWAYS_IN_FLOAT32: RunName = "forward"
"""A probe that runs in float32 whenever probes do."""


def title(report: Report) -> str:
    """The heading of the probes: they run in float32 if the model is in 16 bit and float32 is possible."""
    return "Probes, in float32" if _run_in_float32(report) else "Probes"


def rows(report: Report) -> list[tuple[str, str, str]]:
    """The name of a probe and what is different about it, its verdict, and how far it is from its reference."""
    model_dtype = str(report.evidence.model.dtype)
    in_float32 = _run_in_float32(report)
    found = []
    for name, comparison in report.comparisons.items():
        run = report.evidence.runs[name]
        if name in (*USER_RUNS, *runs_of_modes(report)) or not report.judgement.use.pads(run.padding_side):
            continue
        far = "-" if comparison.max_abs_diff is None else f"{comparison.max_abs_diff:.2g}"
        dtype = f" (in {model_dtype})" if in_float32 and run.dtype is None else ""
        # It was not compared with itself.
        same = comparison.verdict is Verdict.NOT_RUN and run.rows and all(row.stand_in is not None for row in run.rows)
        said = f"is {comparison.reference}" if same else verdict(report, name)
        found.append((f"{name}: {run.description}{dtype}", said, f"{far} from {comparison.reference}"))
    return found


def notes(report: Report) -> str:
    """Which pad counts were tried, where a forward() stood in for generate(), and which probes did not run."""
    evidence = report.evidence
    said = [_pad_counts(evidence.screen, "Pieces of prompt"), _pad_counts(evidence.sweep, "Prompt")]
    if SINGLE in evidence.runs and (stand_in := evidence.runs[SINGLE].stand_in) is not None:
        prompts = [str(row.prompt_index) for row in evidence.runs[SINGLE].rows if row.stand_in is not None]
        which = f"prompt{'s' if len(prompts) > 1 else ''} {', '.join(prompts)}"
        said.append(f"{stand_in} stood in for generate() to run {which} alone.")
    if evidence.left_out:
        left_out = [*evidence.left_out, *(["more pad counts"] if evidence.sweep is None else [])]
        said.append(
            f"Nothing is in doubt, so these expensive probes did not run (--thorough runs them): {', '.join(left_out)}."
        )
    return " ".join(filter(None, said))


def _run_in_float32(report: Report) -> bool:
    run = report.evidence.runs.get(_ALWAYS_IN_FLOAT32)
    return run is not None and run.dtype is not None


def _pad_counts(sweep: PadCountSweep | None, what: str) -> str:
    if sweep is None:
        return ""
    what = f"{what} {sweep.prompt_index}"
    numbers = sorted(count.num_pad_tokens for count in sweep.counts)
    if not numbers:
        return f"{what} raised with other pad counts: {sweep.error}." if sweep.error else ""
    counts = f"pad count {numbers[0]}"
    if len(numbers) > 1:
        counts = f"{len(numbers)} pad counts from {numbers[0]} to {numbers[-1]}"
    raised = f" and then raised: {sweep.error}" if sweep.error else ""
    return f"{what} also ran with {counts}{raised}."
