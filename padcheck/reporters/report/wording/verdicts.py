"""The verdicts on the user runs, on the run that decides, and on the modes, with the reason for each."""

from padcheck.core.report import Comparison, Report, Verdict
from padcheck.core.run_plans import MODES, USER_RUNS, RunName
from padcheck.reporters.text.visible import visible, visible_token

HEADINGS = ("run", "verdict", "reason")


def rows(report: Report) -> list[tuple[str, str, str]]:
    """Run, verdict and reason; the reason includes the KL divergence and the tokens that compete."""
    shown = (*USER_RUNS, deciding_run(report), *runs_of_modes(report))
    return [
        (name, in_words(comparison.verdict), _reason(report, name, comparison))
        for name, comparison in report.comparisons.items()
        if name in shown
    ]


def runs_of_modes(report: Report) -> list[RunName]:
    """The runs of the modes that were asked for."""
    return [run for name in report.evidence.modes for run in (MODES[name].alone, MODES[name].left)]


def in_words(verdict: Verdict) -> str:
    """The verdict as a reader sees it, such as `not run`."""
    return verdict.value.replace("_", " ")


def deciding_run(report: Report) -> RunName:
    """The run whose verdict is that of the report: it runs the model as the caller does."""
    return report.judgement.use.run


def _reason(report: Report, name: str, comparison: Comparison) -> str:
    """The reason; for a run of a mode, which may have another reference than the others, it begins with that."""
    ran_in_a_mode = name in runs_of_modes(report) and comparison.verdict is not Verdict.NOT_RUN
    reference = f"from {visible(comparison.reference)}, " if ran_in_a_mode else ""
    return reference + visible(comparison.reason) + _details(report, name, comparison)


def _details(report: Report, run: str, comparison: Comparison) -> str:
    """KL, and the first different token: of the prompt that the reason names, or of another if its tokens agree."""
    kl = f"; KL {comparison.max_kl:.2g}" if comparison.max_kl and comparison.verdict is Verdict.DIFFERENT else ""
    flips = {row.prompt_index: row.flip for row in comparison.rows if row.flip is not None}
    if not flips:
        return kl
    worst = next((row.prompt_index for row in comparison.rows if row.max_abs_diff == comparison.max_abs_diff), None)
    index = worst if worst in flips else min(flips, key=lambda index: (flips[index].step, index))
    flip = flips[index]
    where = f"token {flip.step}" if index == worst else f"prompt {index}, token {flip.step}"
    # With --do-sample the random draw decides too, so the logits do not explain the choice.
    margins = (None, None) if report.evidence.sampled else (flip.reference_margin, flip.margin)
    expected = f"{comparison.reference} chose {visible_token(flip.reference_token)}{_lead(margins[0])}"
    chosen = f"{run} chose {visible_token(flip.token)}{_lead(margins[1])}"
    return f"{kl}; {where}: {expected}, {chosen}"


def _lead(margin: float | None) -> str:
    return "" if margin is None else f" (leads by {margin:.2g})"
