"""PAD901: No prompt was padded, so nothing was measured."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class NoPadding(Rule):
    """No prompt was padded, so nothing was measured.

    Why it matters:
        A run without pads says nothing about padding, and must not look like a pass.

    How padcheck knows:
        All prompts of each batch have the same number of tokens, or there is only one prompt, and padcheck found no
        prompt of another length to add.

    Fix:
        Pass prompts of different lengths.

    References:
        This project's exit codes: nothing measured is never a pass.
    """

    code = "PAD901"
    name = "no-padding"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Fires if padded batches ran and no row has a pad."""
        runs = [run for run in case.evidence.runs.values() if run.padding_side is not None]
        rows = [row for run in runs for row in run.rows]
        if not rows or any(row.num_pad_tokens for row in rows):
            return None
        lengths = sorted(set(case.evidence.num_prompt_tokens))
        what = "There is one prompt" if len(case.evidence.prompts) == 1 else f"All prompts have {lengths[0]} tokens"
        if len(lengths) > 1:
            what = "Every batch has prompts of one length"
        return self.found(
            f"{what}, so no row was padded and nothing was measured.",
            fix='padcheck compare MODEL --prompt "a short one" --prompt "and a longer one"',
            num_prompt_tokens=list(case.evidence.num_prompt_tokens),
        )
