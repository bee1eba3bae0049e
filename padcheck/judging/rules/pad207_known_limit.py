"""PAD207: The architecture cannot be padded on that side by design."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.known_limits import KNOWN_LIMITS
from padcheck.judging.rule import EQUAL_LENGTH, Rule


class KnownLimit(Rule):
    """The architecture cannot be padded on that side by design.

    Why it matters:
        No setting is wrong and no upgrade will fix it. The other side, or batches of equal length, is the only way. It
        is not reported as a fault, so that users do not search for one.

    How padcheck knows:
        For this model type transformers' own tests skip left padding with a reason, or the code of the model rules it
        out, and left padding was measured to change the output. If it changed nothing, the finding says so: the limit
        may be gone, or this configuration or these prompts may not reach it.

    Fix:
        Batch prompts of equal length, or run them one by one. The finding says if the other side works.

    References:
        huggingface/transformers#22322
    """

    code = "PAD207"
    name = "known-limit"
    severity = Severity.ERROR
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | Skipped | None:
        """An error if the limit shows, an info if it is known and does not show."""
        model_type = case.evidence.model.model_type
        limit = KNOWN_LIMITS.get(model_type)
        if limit is None:
            return None
        if (undecided := case.undecided(("left",))) is not None:
            return self.skip(undecided)
        rows = case.wrong("left") or case.wrong("left_float32")
        if not rows and case.harmed():
            return self.skip("left padding is wrong for another reason than the limit")
        if not rows:
            return self.found(
                f"{model_type} is known not to support left padding ({limit.reason}), but here left padding changes "
                "nothing beyond rounding.",
                severity=Severity.INFO,
                fix="# nothing to change; other prompts or another size of the model may reach the limit",
                expected="different",
                measured=case.comparisons["left"].verdict.value,
            )
        furthest = worst(rows)
        return self.found(
            f"{model_type} cannot be left-padded by design: {limit.reason}. Left padding changes {len(rows)} of "
            f"{len(case.evidence.prompts)} prompts: "
            f"{how_far(furthest, f'prompt {furthest.prompt_index}, token {furthest.step}')}.",
            fix=f"# batch prompts of equal length; for scoring pad on the {limit.instead}"
            if limit.instead
            else f"# {EQUAL_LENGTH}",
            prompts=[row.prompt_index for row in rows],
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
            step=furthest.step,
            expected="different",
            measured="different",
            padding_side_instead=limit.instead,
        )
