"""The probes: how far each one is from its reference, and which ones did not run."""

from padcheck.core.evidence import PadCountSweep
from padcheck.core.report import Report
from padcheck.core.run_plans import SINGLE, USER_RUNS, RunName
from padcheck.reporters.report.wording.verdicts import in_words
from padcheck.reporters.text.visible import visible

HEADINGS = ("probe", "verdict", "largest difference")

_ALWAYS_IN_FLOAT32: RunName = "forward"
"""A probe that runs in float32 whenever probes do."""


def title(report: Report) -> str:
    """The heading of the probes: they run in float32 if the model is in 16 bit and float32 is possible."""
    return "Probes, in float32" if _run_in_float32(report) else "Probes"


def rows(report: Report) -> list[tuple[str, str, str]]:
    """What is different about a probe, its verdict, and how far it is from its reference."""
    model_dtype = str(report.evidence.model.dtype)
    in_float32 = _run_in_float32(report)
    found = []
    for name, comparison in report.comparisons.items():
        if name not in USER_RUNS:
            run = report.evidence.runs[name]
            far = "-" if comparison.max_abs_diff is None else f"{comparison.max_abs_diff:.2g}"
            dtype = f" (in {visible(model_dtype)})" if in_float32 and run.dtype is None else ""
            what = run.description + dtype
            found.append((what, in_words(comparison.verdict), f"{far} from {comparison.reference}"))
    return found


def notes(report: Report) -> str:
    """Which pad counts were tried, where a forward() stood in for generate(), and which probes did not run."""
    evidence = report.evidence
    said = [_pads(evidence.screen, "pieces of prompt {} also ran"), _pads(evidence.sweep, "prompt {} also ran")]
    if SINGLE in evidence.runs and (stand_in := evidence.runs[SINGLE].stand_in) is not None:
        prompts = [str(row.prompt_index) for row in evidence.runs[SINGLE].rows if row.stand_in is not None]
        said.append(f"alone, {visible(stand_in)} stands in for generate() of prompts {', '.join(prompts)}")
    if evidence.left_out:
        left_out = [*evidence.left_out, *(["more numbers of pads"] if evidence.sweep is None else [])]
        said.append(f"expensive, and not run since the others agree (--thorough runs them): {', '.join(left_out)}")
    return "; ".join(filter(None, said))


def _run_in_float32(report: Report) -> bool:
    run = report.evidence.runs.get(_ALWAYS_IN_FLOAT32)
    return run is not None and run.dtype is not None


def _pads(sweep: PadCountSweep | None, what: str) -> str:
    if sweep is None:
        return ""
    numbers = sorted(count.num_pad_tokens for count in sweep.counts)
    several = "s" if len(numbers) > 1 else ""
    behind = f" behind {len(numbers)} number{several} of pads, {numbers[0]} to {numbers[-1]}" if numbers else ""
    raised = f", then raised {visible(sweep.error)}" if sweep.error else ""
    return what.format(sweep.prompt_index) + behind + raised
