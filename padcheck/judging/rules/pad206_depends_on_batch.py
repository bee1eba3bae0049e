"""PAD206: The result depends on the batch, even without padding."""

from typing import Final

from padcheck.core.run_plans import RUN_PLANS, RunName
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Verdict
from padcheck.judging.case import Case, how_far, worst
from padcheck.judging.rule import EQUAL_LENGTH, Rule

_BATCHES = tuple(name for name, plan in RUN_PLANS.items() if plan.rows_as_alone)
_COPIES = tuple(name for name in _BATCHES if RUN_PLANS[name].padding_side is None)
_AGAIN: Final = "forward_again"
_COMPARED: tuple[RunName, ...] = (*_BATCHES, _AGAIN)


class DependsOnBatch(Rule):
    """The result depends on the batch, even without padding.

    Why it matters:
        The output of a row depends on its neighbours, on their number, or on what the model ran before. The fault is in
        batching, and no padding can fix it. LLM.int8 does this by construction: then it is a warning, and there is no
        verdict on padding. Expert capacity limits, dynamic rotary scaling and faulty kernels do it by accident.

    How padcheck knows:
        A batch of copies of one prompt needs no pads, and the longest prompt of a padded batch has none. The logits of
        such a row differ from those of the same prompt alone beyond rounding. Or padded rows are wrong in the batch and
        right in a batch of one with the same pads. Or a prompt gives other logits when it runs again at the end.

    Fix:
        Run prompts one by one if results must not depend on their neighbours.

    References:
        huggingface/transformers#22269, huggingface/transformers#25420
    """

    code = "PAD206"
    name = "depends-on-batch"
    severity = Severity.ERROR
    reads = (_COMPARED,)

    def decide(self, case: Case) -> Finding | None:
        """Fires if a row without pads is different."""
        wrong = {
            name: [row for row in comparison.rows if not row.num_pad_tokens and row.verdict is Verdict.DIFFERENT]
            for name, comparison in case.comparisons.items()
            if name in _COMPARED
        }
        if case.wrong_alone():
            # After the first token the prompt alone is wrong (PAD208), not the batch.
            wrong = {name: [row for row in found if case.off_at_first(name, row)] for name, found in wrong.items()}
        rows = [row for found in wrong.values() for row in found]
        if (reason := case.undecidable()) is not None:
            return self._by_construction(reason)
        if not rows:
            return self._wrong_in_batch_only(case)
        furthest = worst(rows)
        run = next(name for name, found in wrong.items() if furthest in found)
        what = (
            "gives other logits when it runs again, alone as before"
            if run == _AGAIN
            else f"has no pads in {_named(case, run)} and still differs from the prompt alone"
        )
        # Copies have no padded neighbours. If they are right, the neighbours' pads make the difference.
        by_neighbours = not any(wrong.get(name) for name in (*_COPIES, _AGAIN)) and case.right("batched")
        return self.found(
            f"Prompt {furthest.prompt_index} {what}: {how_far(furthest)}."
            + (
                " A batch of copies is right, so it depends on which prompts are its neighbours."
                if by_neighbours
                else ""
            ),
            fix=f"# {EQUAL_LENGTH}: this model's rows depend on their neighbours"
            if by_neighbours
            else "# run prompts one by one: this model's rows depend on their batch",
            arm=run,
            copies_are_right=by_neighbours,
            place=case.place,
            prompts=sorted({row.prompt_index for row in rows}),
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _wrong_in_batch_only(self, case: Case) -> Finding | None:
        """Padded rows that are wrong from the first token on, and right in a batch of one with the same pads."""
        runs = case.evidence.runs
        if not case.ran(case.left, "left_alone") or runs[case.left].dtype != runs["left_alone"].dtype:
            return None
        off = [step for step in case.first_steps(case.left) if step.off and step.max_abs_diff is not None]
        alone = {step.prompt_index: step.off for step in case.first_steps("left_alone")}
        if not off or any(alone.get(step.prompt_index, True) for step in off):
            return None
        furthest = worst(off)
        return self.found(
            f"With the same pads prompt {furthest.prompt_index} is right alone and wrong next to its neighbours: "
            f"{how_far(furthest)}.",
            fix=f"# {EQUAL_LENGTH}: this model's rows depend on their neighbours",
            place=case.place,
            arm=case.left,
            copies_are_right=case.right("batched"),
            prompts=sorted({step.prompt_index for step in off}),
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )

    def _by_construction(self, reason: str) -> Finding:
        """A warning, and no verdict on padding: the effects of pads and of neighbours cannot be separated."""
        return self.found(
            f"Rows depend on their batch by construction: {reason}. The effect of padding cannot be separated from it.",
            severity=Severity.WARNING,
            fix="# measure the model in 16 bit, or quantized in another way",
        )


def _named(case: Case, name: str) -> str:
    run = case.evidence.runs[name]
    return (run.description or name) + (f" in {run.dtype}" if run.dtype is not None else "")
