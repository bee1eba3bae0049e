"""PAD204: There are NaNs or infinities in the logits of real tokens."""

from padcheck.core.run_plans import RUN_PLANS, SINGLE, USER_RUNS
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import Case
from padcheck.judging.rule import EQUAL_LENGTH, Rule, attention_fix

_ARTIFICIAL = tuple(name for name, plan in RUN_PLANS.items() if plan.artificial)
"""NaN is no fault in these runs."""


class NonFiniteLogits(Rule):
    """There are NaNs or infinities in the logits of real tokens.

    Why it matters:
        Greedy decoding then repeats token 0 without a warning, and sampling raises `probability tensor contains either
        inf, nan or element < 0`. The usual source is the query of a pad that may attend to nothing: a softmax over
        minus infinity only.

    How padcheck knows:
        In every run the logits of every new token are searched for NaN and plus infinity. Minus infinity is how a model
        masks a vocabulary entry. It counts only if the unpadded run has a number there.

    Fix:
        Use bfloat16 or float32, another attn_implementation, or a newer torch. The finding names an attention
        implementation that was measured to be right.

    References:
        huggingface/transformers#27179, huggingface/transformers#40242, pytorch/pytorch#156707
    """

    code = "PAD204"
    name = "non-finite-logits"
    severity = Severity.ERROR

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires if a run has such entries; says whether the unpadded run has them too."""
        evidence = case.evidence
        if not any(run.rows for run in evidence.runs.values()):
            return self.skip("undecided: no run gave logits")
        prompts: dict[str, list[int]] = {}
        for name, run in evidence.runs.items():
            if name in _ARTIFICIAL or not case.use.pads(run.padding_side):
                continue
            broken = {row.prompt_index for row in run.rows if row.non_finite_logits}
            broken |= {d.prompt_index for d in evidence.differences.get(name, ()) if any(s.non_finite for s in d.steps)}
            if broken:
                prompts[name] = sorted(broken)
        if not prompts:
            return None
        return self.found(
            f"The logits contain NaN or infinity in {_where(prompts)}; "
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
        return "model = model.to(torch.bfloat16)"
    if alone:
        return "# padding is not the cause: look for NaN in the weights"
    return f"# {EQUAL_LENGTH}, until the model's code leaves each row something to attend to"


def _where(prompts: dict[str, list[int]]) -> str:
    """Each user run by name, and the number of probes; the probes by name if there are only probes."""
    named = {name: rows for name, rows in prompts.items() if name in USER_RUNS} or prompts
    said = ", ".join(f"{name} (prompts {', '.join(map(str, rows))})" for name, rows in named.items())
    others = len(prompts) - len(named)
    return said + (f" and {others} probe{'s' if others > 1 else ''}" if others else "")
