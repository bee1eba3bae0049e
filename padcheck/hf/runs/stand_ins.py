"""The prompts alone that do not all go through generate(): one forward() over prompt and new tokens stands in.

A batch of eight prompts would take eight times the steps of generate(), one prompt after another. A left-padded row
already says which tokens come next; one forward() over the prompt alone and these tokens gives the logits of all steps.
It stands in for generate() only if it agrees with the left-padded row, so that padding changed nothing for this prompt.
What it cannot show is a fault of the prompt's own decoding from the cache, which is why the shortest and the longest
prompt of a batch always go through generate(), and why a stand-in says what it is.
"""

from dataclasses import replace

from padcheck.core.run_plans import SINGLE
from padcheck.core.tolerances import least_tolerance, share_of_allowance
from padcheck.hf.calls.forwards import replay
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.runs.differences import compare_logits
from padcheck.hf.runs.table import EXECUTIONS, Run

REPLAYED = "forward() over prompt and new tokens"
"""What stands in."""


def alone(run: Run, left: dict[int, RowTrace], known: dict[int, RowTrace]) -> dict[int, RowTrace]:
    """Each prompt alone, by its index.

    Args:
        run: The batch.
        left: Its left-padded rows; empty if that arm raised.
        known: The prompts that went through generate() already.

    Returns:
        Those that are known; of the others a stand-in if it chooses the tokens of the left-padded row, by logits that
        differ by no more than rounding; else a generate() of this prompt alone.
    """
    traces = dict(known)
    for index, prompt in run.batch.prompts.items():
        if index in traces:
            continue
        if index in left:
            trace = replay(run.model, prompt, left[index].generated_ids, with_positions=True)
            if _agree(run, trace, left[index]):
                traces[index] = replace(trace, stand_in=REPLAYED)
                continue
        traces[index] = generated(run, index)
    return traces


def generated(run: Run, index: int) -> RowTrace:
    """One prompt alone through generate()."""
    [trace] = EXECUTIONS[SINGLE].function(replace(run, batch=run.batch.only(index)))
    return trace


def _agree(run: Run, trace: RowTrace, left: RowTrace) -> bool:
    """True if both choose the same tokens and no logit differs by more than rounding.

    The tokens of a run in float32 are given to it, so that they say nothing. How far rounding moves the logits in 16
    bit is not known yet; there the tokens decide.
    """
    if not run.in_float32 and trace.logits.argmax() != left.generated_ids:
        return False
    if run.in_half:
        return True
    tolerance = least_tolerance(run.dtype)
    return all(
        share_of_allowance(step.max_abs_diff, tolerance.allowed(step.logit_scale)) <= 1
        for step in compare_logits(trace.logits, left.logits)
    )
