"""PAD207."""

from padcheck.core.report import Finding, Skipped
from padcheck.core.severity import Severity
from padcheck.judging.case import Case, worst
from padcheck.judging.known_limits import KNOWN_LIMITS
from padcheck.judging.rule import Rule


class KnownLimit(Rule):
    """The architecture cannot be padded on that side by design.

    Why it matters:
        No setting of yours is wrong and no upgrade will fix it: another side, or batches of equal length, is the only
        way. It is told apart from a fault so that nobody looks for one.

    How padcheck knows:
        The model type is one of those whose left padding transformers' own tests skip with a reason, or whose code
        leaves no way, and left padding was measured to change the output. Where it was measured to change nothing, that
        is reported as a surprise: the limit may be gone, or this configuration or these prompts may not reach it.

    Fix:
        Batch prompts of equal length, or run them one by one; the finding says where the other side serves.

    References:
        huggingface/transformers#22322
    """

    code = "PAD207"
    name = "known-limit"
    severity = Severity.ERROR
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | Skipped | None:
        """An error where the limit shows, an info where it is known and does not show."""
        model_type = case.evidence.model.model_type
        limit = KNOWN_LIMITS.get(model_type)
        if limit is None:
            return None
        if (undecided := case.undecided(("left",))) is not None:
            return self.skip(undecided)
        rows = case.wrong("left") or case.wrong("left_float32")
        if not rows and case.harmed():
            return self.skip("left padding is wrong in another way than the limit's")
        if not rows:
            return self.found(
                f"{model_type} is known as one that cannot be left-padded ({limit.reason}); here left padding changes "
                "nothing beyond rounding.",
                severity=Severity.INFO,
                fix="# nothing to change; other prompts or another size of the model may reach the limit",
                expected="different",
                measured=case.comparisons["left"].verdict.value,
            )
        furthest = worst(rows)
        return self.found(
            f"{model_type} cannot be left-padded by design: {limit.reason}. Left padding changes {len(rows)} of "
            f"{len(case.evidence.prompts)} prompts: max_abs_diff {furthest.max_abs_diff:.2g} at prompt "
            f"{furthest.prompt_index}, token {furthest.step} ({furthest.allowed:.2g} allowed).",
            fix=f"# batch prompts of equal length; for scoring pad on the {limit.instead}"
            if limit.instead
            else "# batch prompts of equal length, or one by one",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
            expected="different",
            measured="different",
            padding_side_instead=limit.instead,
        )
