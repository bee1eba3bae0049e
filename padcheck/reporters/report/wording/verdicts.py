"""The verdicts on the runs that a reader is shown, with the reason for each."""

from padcheck.core.report import Report
from padcheck.core.run_plans import USER_RUNS
from padcheck.core.verdicts import Comparison, Verdict
from padcheck.reporters.report.wording.runs import is_expected, runs_of_modes, shown_runs
from padcheck.reporters.text.visible import visible_token

HEADINGS = ("run", "verdict", "reason")


def rows(report: Report) -> list[tuple[str, str, str]]:
    """Run, verdict and reason; the reason includes the KL divergence and the tokens that compete."""
    return [
        (name, verdict(report, name), _reason(report, name, comparison)) for name, comparison in _shown(report).items()
    ]


def brief(report: Report) -> list[tuple[str, str, str]]:
    """Run, verdict and a reason that takes a line, unless the difference is a surprise."""
    return [
        (name, in_words(comparison.verdict), _in_brief(report, name, comparison))
        for name, comparison in _shown(report).items()
    ]


def verdict(report: Report, name: str) -> str:
    """The verdict on a run, and whether it is no surprise."""
    return in_words(report.comparisons[name].verdict) + (" (expected)" if is_expected(report, name) else "")


def in_words(verdict: Verdict) -> str:
    """The verdict as a reader sees it, such as `not run`."""
    return verdict.value.replace("_", " ")


def flips(report: Report, name: str) -> str:
    """How many texts rounding changes, such as `6 of 8 texts flip at near ties`; empty if it changes none."""
    rows = report.comparisons[name].rows
    number = sum(row.verdict is Verdict.EQUIVALENT and row.first_different_token is not None for row in rows)
    if not number:
        return ""
    what = "texts" if name in (*USER_RUNS, *runs_of_modes(report)) else "next tokens"
    where = "" if report.evidence.sampled else " at near ties"
    return f"{number} of {len(rows)} {what} {'flips' if number == 1 else 'flip'}{where}"


def _shown(report: Report) -> dict[str, Comparison]:
    _, *padded = shown_runs(report)
    return {name: report.comparisons[name] for name in (*padded, *runs_of_modes(report)) if name in report.comparisons}


def _in_brief(report: Report, name: str, comparison: Comparison) -> str:
    if is_expected(report, name):
        wrong = sum(row.verdict is Verdict.DIFFERENT for row in comparison.rows)
        return f"as expected: generate() continues from a pad ({wrong} of {len(comparison.rows)} prompts)"
    if comparison.verdict is not Verdict.EQUIVALENT:
        return _reason(report, name, comparison)
    far = f"largest difference {comparison.max_abs_diff:.2g}, rounding explains up to {comparison.allowed:.2g}"
    return "; ".join(filter(None, (flips(report, name), far)))


def _reason(report: Report, name: str, comparison: Comparison) -> str:
    """The reason; for a run of a mode, which may have another reference than the others, it begins with that."""
    ran_in_a_mode = name in runs_of_modes(report) and comparison.verdict is not Verdict.NOT_RUN
    reference = f"from {comparison.reference}, " if ran_in_a_mode else ""
    return reference + comparison.reason + _details(report, name, comparison)


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
