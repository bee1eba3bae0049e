"""Prompts alone that do not go through generate(): one forward() over prompt and new tokens stands in.

Generating eight prompts one after another takes eight times the steps of a batch. The left-padded row already says
which tokens come next; one forward() over the prompt alone and these tokens gives the logits of all steps. It stands in
for generate() only if it agrees with the left-padded row, which means that padding changed nothing for this prompt.

A stand-in cannot show a fault of the prompt's own decoding from the cache. So the shortest and the longest prompt of a
batch always go through generate(), and a stand-in is labelled as one.
"""

from dataclasses import replace

from padcheck.core.run_plans import SINGLE
from padcheck.core.tolerances import least_tolerance, share_of_allowance
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.runs.context import RunContext, Traces
from padcheck.hf.runs.differences import compare_logits
from padcheck.hf.runs.table import EXECUTIONS

REPLAYED = "forward() over prompt and new tokens"
"""What stands in."""


def alone(context: RunContext, left: Traces, known: Traces) -> Traces:
    """Each prompt alone, by its index.

    Args:
        context: The batch.
        left: Its left-padded rows; empty if that run raised.
        known: The prompts that went through generate() already.

    Returns:
        The known traces. For any other prompt a stand-in, if it chooses the tokens of the left-padded row by logits
        that differ by no more than rounding; otherwise generate() on this prompt alone.
    """
    traces = dict(known)
    for index, prompt in context.batch.prompts.items():
        if index in traces:
            continue
        if index in left:
            trace = context.runtime.replay(prompt, left[index].generated_ids, with_positions=True)
            if _agree(context, trace, left[index]):
                traces[index] = replace(trace, stand_in=REPLAYED)
                continue
        traces[index] = generated(context, index)
    return traces


def generated(context: RunContext, index: int) -> RowTrace:
    """One prompt alone through generate()."""
    [trace] = EXECUTIONS[SINGLE].function(context.on(context.batch.only(index)))
    return trace


def _agree(context: RunContext, trace: RowTrace, left: RowTrace) -> bool:
    """True if both choose the same tokens and no logit differs by more than rounding.

    In float32 the tokens are given, so only the logits count. In 16 bit it is not yet known how far rounding moves the
    logits, so only the tokens count.
    """
    runtime = context.runtime
    if not runtime.in_float32 and trace.logits.argmax() != left.generated_ids:
        return False
    if runtime.in_half:
        return True
    tolerance = least_tolerance(runtime.dtype)
    return all(
        share_of_allowance(step.max_abs_diff, tolerance.allowed(step.logit_scale)) <= 1
        for step in compare_logits(trace.logits, left.logits)
    )
