"""PAD206."""

from typing import Final

from padcheck.core.report import Finding, Verdict
from padcheck.core.run_plans import RunName
from padcheck.core.severity import Severity
from padcheck.judging.case import Case, worst
from padcheck.judging.rule import Rule

_BATCHES: tuple[RunName, ...] = (
    *("left", "right", "few_copies", "batched", "scrambled"),
    *("left_forward", "right_forward", "left_float32"),
)
_COPIES: tuple[RunName, ...] = ("few_copies", "batched")
_AGAIN: Final = "forward_again"
"""In the batches a row without pads gets what it gets alone, and so does each prompt that runs once more.

Not where position_ids are given: a model may count otherwise by itself, as RoBERTa does, and then those are what
differs.
"""


class DependsOnBatch(Rule):
    """The result changes with the batch alone, no padding involved.

    Why it matters:
        A row's output depends on its neighbours, on how many there are, or on what the model ran before: batching
        itself is at fault, and no padding can fix it. LLM.int8 does this by construction: that is a warning, and no
        verdict on padding follows. Expert capacity limits, dynamic rotary scaling and faulty kernels do it by accident.

    How padcheck knows:
        A batch of copies of one prompt needs no pads, and neither does the longest prompt of a padded batch. The
        logits of such rows are compared with the same prompt alone, and differ beyond rounding. Or padded rows are
        wrong beside their neighbours and right in a batch of one, behind the same pads. At the end each prompt runs
        once more as at the beginning, and must say the same.

    Fix:
        Run prompts one by one where results must not depend on their neighbours.

    References:
        huggingface/transformers#22269, huggingface/transformers#25420
    """

    code = "PAD206"
    name = "depends-on-batch"
    severity = Severity.ERROR
    reads = ((*_BATCHES, _AGAIN),)

    def decide(self, case: Case) -> Finding | None:
        """Fires where a row without pads is different."""
        wrong = {
            name: [row for row in comparison.rows if not row.num_pad_tokens and row.verdict is Verdict.DIFFERENT]
            for name, comparison in case.comparisons.items()
            if name in (*_BATCHES, _AGAIN)
        }
        if case.wrong_alone():
            # Then the prompt alone is what is wrong after its first token (PAD208).
            wrong = {name: [row for row in found if case.off_at_first(name, row)] for name, found in wrong.items()}
        rows = [row for found in wrong.values() for row in found]
        if (reason := case.undecidable()) is not None:
            return self._by_construction(reason)
        if not rows:
            return self._beside_neighbours(case)
        furthest = worst(rows)
        arm = next(name for name, found in wrong.items() if furthest in found)
        what = (
            "says something else when it runs once more, alone as before"
            if arm == _AGAIN
            else f"has no pads in {_named(case, arm)} and still differs from the prompt alone"
        )
        # Copies have no padded neighbours: where they are right, it takes a neighbour's pads to go wrong.
        beside_pads = not any(wrong.get(name) for name in (*_COPIES, _AGAIN)) and case.right("batched")
        return self.found(
            f"Prompt {furthest.prompt_index} {what}: max_abs_diff {furthest.max_abs_diff:.2g} "
            f"({furthest.allowed:.2g} allowed)."
            + (" A batch of copies is right: what its neighbours are decides." if beside_pads else ""),
            fix="# batch prompts of equal length, or one by one: this model's rows depend on their neighbours"
            if beside_pads
            else "# run prompts one by one: this model's rows depend on their batch",
            arm=arm,
            copies_are_right=beside_pads,
            place=case.place,
            prompts=sorted({row.prompt_index for row in rows}),
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _beside_neighbours(self, case: Case) -> Finding | None:
        """Padded rows that are wrong from the first token on, and right alone behind the same pads."""
        arms = case.evidence.runs
        if not case.ran(case.left, "left_alone") or arms[case.left].dtype != arms["left_alone"].dtype:
            return None
        off = [step for step in case.first_steps(case.left) if step.off and step.max_abs_diff is not None]
        alone = {step.prompt_index: step.off for step in case.first_steps("left_alone")}
        if not off or any(alone.get(step.prompt_index, True) for step in off):
            return None
        furthest = worst(off)
        return self.found(
            f"Behind the same pads prompt {furthest.prompt_index} is right alone and wrong beside its neighbours: "
            f"max_abs_diff {furthest.max_abs_diff:.2g} ({furthest.allowed:.2g} allowed).",
            fix="# batch prompts of equal length, or one by one: this model's rows depend on their neighbours",
            place=case.place,
            arm=case.left,
            copies_are_right=case.right("batched"),
            prompts=sorted({step.prompt_index for step in off}),
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _by_construction(self, reason: str) -> Finding:
        """No error, and no verdict on padding either: what pads do cannot be told from what neighbours do."""
        return self.found(
            f"Rows depend on their batch by construction: {reason}. What padding does cannot be told from that.",
            severity=Severity.WARNING,
            fix="# measure the model in 16 bit, or quantized in another way",
        )


def _named(case: Case, name: str) -> str:
    arm = case.evidence.runs[name]
    return (arm.description or name) + (f" in {arm.dtype}" if arm.dtype is not None else "")
