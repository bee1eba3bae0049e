"""PAD204."""

from padcheck.core.report import Finding, Skipped
from padcheck.core.run_plans import SINGLE, USER_RUNS
from padcheck.core.severity import Severity
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule, attention_fix

_NOT_THE_USERS = ("broken_mask", "other_positions", "shifted", "left_other_attention")
"""Probes with a mask, positions or an attention that nobody asked for: what they give is no fault."""


class NonFiniteLogits(Rule):
    """There are NaNs or infinities in the logits of real tokens.

    Why it matters:
        Greedy decoding then repeats token 0 without a word, sampling raises `probability tensor contains either inf,
        nan or element < 0`. A pad's query that may attend to nothing is the usual source: a softmax over nothing but
        minus infinity.

    How padcheck knows:
        The logits of every new token of every arm are searched for NaN and plus infinity. Minus infinity is a
        vocabulary entry that the model masks, and counts only where the unpadded run has a number instead.

    Fix:
        Use bfloat16 or float32, another attn_implementation, or a newer torch; the finding names the one that was
        measured to be right.

    References:
        huggingface/transformers#27179, huggingface/transformers#40242, pytorch/pytorch#156707
    """

    code = "PAD204"
    name = "non-finite-logits"
    severity = Severity.ERROR

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires where an arm has such entries; says whether the unpadded run has them too."""
        evidence = case.evidence
        if not any(arm.rows for arm in evidence.runs.values()):
            return self.skip("no arm has logits")
        prompts: dict[str, list[int]] = {}
        for name, arm in evidence.runs.items():
            if name in _NOT_THE_USERS or not case.use.pads(arm.padding_side):
                continue
            broken = {row.prompt_index for row in arm.rows if row.non_finite_logits}
            broken |= {d.prompt_index for d in evidence.differences.get(name, ()) if any(s.non_finite for s in d.steps)}
            if broken:
                prompts[name] = sorted(broken)
        if not prompts:
            return None
        return self.found(
            f"The logits hold NaN or infinity in {_where(prompts)}; "
            + ("also in the unpadded run." if SINGLE in prompts else "not in the unpadded run."),
            fix=_fix(case, alone=SINGLE in prompts),
            prompts_by_arm=prompts,
            right_with_attention=case.right_with_attention(),
        )


def _fix(case: Case, *, alone: bool) -> str:
    other = case.right_with_attention()
    if other is not None:
        return attention_fix(other)
    if case.evidence.model.dtype == "float16":
        return "model = AutoModelForCausalLM.from_pretrained(..., dtype=torch.bfloat16)"
    if alone:
        return "# padding is not the cause: look for NaN in the weights"
    return (
        "# batch prompts of equal length, or one by one, until the model's code leaves each row something to attend to"
    )


def _where(prompts: dict[str, list[int]]) -> str:
    """The arms that users run one by one, the probes by their number; all by name where there are only probes."""
    named = {arm: rows for arm, rows in prompts.items() if arm in USER_RUNS} or prompts
    said = ", ".join(f"{arm} (prompts {', '.join(map(str, rows))})" for arm, rows in named.items())
    others = len(prompts) - len(named)
    return said + (f" and {others} probe{'s' if others > 1 else ''}" if others else "")
