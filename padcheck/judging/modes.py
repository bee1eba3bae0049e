"""What the rules about modes share: which rows are wrong in which mode, in words and as evidence."""

from collections.abc import Iterator

from padcheck.core.modes import ModeName
from padcheck.core.run_plans import MODES, Mode, RunName
from padcheck.core.verdicts import Finding, RowComparison, Skipped, Verdict
from padcheck.judging.case import ONLY_THE_TOKENIZER, Case, how_far, worst
from padcheck.judging.rule import Rule


class ModeRule(Rule):
    """A rule about modes: undecided if none was asked for."""

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Decides, or is skipped."""
        if not case.evidence.modes:
            if not case.evidence.runs:
                return self.skip(f"undecided: {ONLY_THE_TOKENIZER}")
            return self.skip("no mode was asked for (--with)", "not_asked")
        return super().judge(case)


WrongRows = dict[ModeName, list[RowComparison]]
"""The rows of one run of each mode that differ by more than rounding."""


def asked_for(case: Case) -> Iterator[tuple[ModeName, Mode]]:
    """The modes that were asked for."""
    return ((name, MODES[name]) for name in case.evidence.modes)


def different(case: Case, run: RunName) -> list[RowComparison]:
    """The rows of a run, padded or not, that differ by more than rounding."""
    rows = case.comparisons[run].rows if case.ran(run) else ()
    return [row for row in rows if row.verdict is Verdict.DIFFERENT]


def how_far_in(wrong: WrongRows) -> str:
    """Each mode and its furthest row."""
    furthest = {name: worst(rows) for name, rows in wrong.items()}
    return "; ".join(
        f"{name}: {how_far(row, f'prompt {row.prompt_index}, token {row.step}')}" for name, row in furthest.items()
    )


def numbers(wrong: WrongRows) -> dict[str, object]:
    """The evidence for each mode."""
    furthest = {name: worst(rows) for name, rows in wrong.items()}
    return {
        name: {
            "prompts": [row.prompt_index for row in wrong[name]],
            "max_abs_diff": row.max_abs_diff,
            "allowed": row.allowed,
            "step": row.step,
        }
        for name, row in furthest.items()
    }
