"""PAD204."""

from padcheck.checks.base import Case, Rule
from padcheck.evidence import SINGLE
from padcheck.report import Finding, Skipped
from padcheck.severity import Severity


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
        Use bfloat16 or float32, or attn_implementation="eager", or a newer torch.

    References:
        huggingface/transformers#27179, huggingface/transformers#40242, pytorch/pytorch#156707
    """

    code = "PAD204"
    name = "non-finite-logits"
    severity = Severity.ERROR

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Fires where an arm has such entries; says whether the unpadded run has them too."""
        evidence = case.evidence
        if not any(arm.rows for arm in evidence.arms.values()):
            return self.skip("no arm has logits")
        prompts: dict[str, list[int]] = {}
        for name, arm in evidence.arms.items():
            broken = {row.prompt_index for row in arm.rows if row.non_finite_logits}
            broken |= {d.prompt_index for d in evidence.differences.get(name, ()) if any(s.non_finite for s in d.steps)}
            if broken:
                prompts[name] = sorted(broken)
        if not prompts:
            return None
        return self.found(
            "The logits hold NaN or infinity in "
            f"{', '.join(f'{arm} (prompts {_list(rows)})' for arm, rows in prompts.items())}; "
            + ("also in the unpadded run." if SINGLE in prompts else "not in the unpadded run."),
            fix=_fix(evidence.model.dtype, alone=SINGLE in prompts),
            prompts_by_arm=prompts,
        )


def _fix(dtype: str | None, *, alone: bool) -> str:
    if dtype == "float16":
        return "model = AutoModelForCausalLM.from_pretrained(..., dtype=torch.bfloat16)"
    if alone:
        return "# padding is not the cause: look for NaN in the weights"
    return 'model = AutoModelForCausalLM.from_pretrained(..., attn_implementation="eager")'


def _list(prompts: list[int]) -> str:
    return ", ".join(map(str, prompts))
