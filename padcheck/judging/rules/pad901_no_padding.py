"""PAD901."""

from padcheck.core.report import Finding
from padcheck.core.severity import Severity
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class NoPadding(Rule):
    """No prompt got any padding: nothing was measured.

    Why it matters:
        A run without pads says nothing about padding, and must not look like a pass.

    How padcheck knows:
        All prompts of each batch have the same number of tokens, or there is only one.

    Fix:
        Give prompts of different lengths.

    References:
        This project's exit codes: nothing measured is never a pass.
    """

    code = "PAD901"
    name = "no-padding"
    severity = Severity.WARNING

    def decide(self, case: Case) -> Finding | None:
        """Fires where arms ran, and no row of them has a pad."""
        arms = [arm for arm in case.evidence.runs.values() if arm.padding_side is not None]
        rows = [row for arm in arms for row in arm.rows]
        if not rows or any(row.num_pad_tokens for row in rows):
            return None
        lengths = sorted(set(case.evidence.num_prompt_tokens))
        what = "There is one prompt" if len(case.evidence.prompts) == 1 else f"All prompts have {lengths[0]} tokens"
        if len(lengths) > 1:
            what = "Every batch holds prompts of one length"
        return self.found(
            f"{what}, so no row was padded and nothing was measured.",
            fix='padcheck compare MODEL --prompt "a short one" --prompt "and one that is clearly longer than that"',
            num_prompt_tokens=list(case.evidence.num_prompt_tokens),
        )
