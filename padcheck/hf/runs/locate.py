"""The module in which a run begins to differ from the prompt alone."""

from collections.abc import Callable
from functools import partial

from padcheck.core.evidence import Place
from padcheck.core.padding import position_ids_from_mask
from padcheck.core.run_plans import RunName
from padcheck.hf.calls.batches import Rows, unpadded
from padcheck.hf.place.first_module import find_place
from padcheck.hf.place.watching import Watched
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.noise import rounding_errors
from padcheck.hf.runs.runtime import Positions, Runtime

_Watch = Callable[[Runtime, Rows, int, int], Watched]
"""From a runtime, the rows of a call, the row of the prompt and the step: the call to look into."""


def _generated(runtime: Runtime, rows: Rows, row: int, step: int) -> Watched:
    return runtime.watched(rows, row, step)


def _scored(runtime: Runtime, rows: Rows, row: int, _step: int, positions: Positions | None = None) -> Watched:
    return Watched(partial(runtime.forward, rows, positions=positions), 0, row, rows[row][1].attention_mask)


_scored_with_positions = partial(_scored, positions=position_ids_from_mask)


def _padded_left(context: RunContext, _index: int) -> Rows:
    return context.batch.padded("left")


def _padded_right(context: RunContext, _index: int) -> Rows:
    return context.batch.padded("right")


def _padded_alone(context: RunContext, index: int) -> Rows:
    return context.batch.only(index).padded("left")


def _copies(context: RunContext, index: int) -> Rows:
    [rows] = context.batch.only(index).copies(max(2, context.batch.size))
    return rows


_CALLS: dict[RunName, tuple[_Watch, Callable[[RunContext, int], Rows]]] = {
    "left": (_generated, _padded_left),
    "left_float32": (_generated, _padded_left),
    "batched": (_generated, _copies),
    "left_alone": (_generated, _padded_alone),
    "left_forward_positions": (_scored_with_positions, _padded_left),
    "right_forward": (_scored, _padded_right),
}
LOCATED = tuple(_CALLS)
"""The runs for which the module can be named, user runs first."""


def locate(context: RunContext, name: RunName, prompt_index: int, step: int) -> Place | None:
    """The first module whose output for this prompt differs from the prompt alone although its inputs agree.

    Args:
        context: The batch, in the dtype that the model calculates in now.
        name: One of `LOCATED`.
        prompt_index: A prompt that differs.
        step: The first new token at which it does, from 0.

    Returns:
        None if no module differs beyond rounding, or if the inputs of the model cannot be compared.
    """
    watch, rows_of = _CALLS[name]
    runtime, rows = context.runtime, rows_of(context, prompt_index)
    row = max(number for number, (index, _) in enumerate(rows) if index == prompt_index)
    alone = [(prompt_index, unpadded(context.batch.prompts[prompt_index]))]
    perturbed = partial(rounding_errors, runtime.model)
    return find_place(
        runtime.model,
        watch(runtime, alone, 0, step),
        watch(runtime, rows, row, step),
        perturbed,
        prompt_index=prompt_index,
    )
