"""For an arm that differs from the prompt alone: the module in which the difference begins."""

from collections.abc import Callable
from functools import partial

from padcheck.core.evidence import Place
from padcheck.core.padding import position_ids_from_mask
from padcheck.core.run_plans import RunName
from padcheck.hf.calls.batches import Rows, unpadded
from padcheck.hf.calls.forwards import forward
from padcheck.hf.place.first_module import find_place
from padcheck.hf.place.watching import Watched, watched_generate
from padcheck.hf.runs.noise import rounding_errors
from padcheck.hf.runs.table import Run

_Way = Callable[[Run, Rows, int, int], Watched]
"""From the rows of a call, the row of the prompt and the step to the call that is looked at."""


def _generated(run: Run, rows: Rows, row: int, step: int) -> Watched:
    return watched_generate(run.model, rows, row, step, run.settings, forced=run.tokens())


def _scored(run: Run, rows: Rows, row: int, _step: int) -> Watched:
    return Watched(partial(forward, run.model, rows, run.settings), 0, row, rows[row][1].attention_mask)


def _scored_with_positions(run: Run, rows: Rows, row: int, _step: int) -> Watched:
    call = partial(forward, run.model, rows, run.settings, positions=position_ids_from_mask)
    return Watched(call, 0, row, rows[row][1].attention_mask)


def _padded_left(run: Run, _index: int) -> Rows:
    return run.batch.padded("left")


def _padded_right(run: Run, _index: int) -> Rows:
    return run.batch.padded("right")


def _padded_alone(run: Run, index: int) -> Rows:
    return run.batch.only(index).padded("left")


def _copies(run: Run, index: int) -> Rows:
    [rows] = run.batch.only(index).copies(max(2, run.batch.size))
    return rows


_WAYS: dict[RunName, tuple[_Way, Callable[[Run, int], Rows]]] = {
    "left": (_generated, _padded_left),
    "left_float32": (_generated, _padded_left),
    "batched": (_generated, _copies),
    "left_alone": (_generated, _padded_alone),
    "left_forward_positions": (_scored_with_positions, _padded_left),
    "right_forward": (_scored, _padded_right),
}
LOCATED = tuple(_WAYS)
"""The arms of which the module can be named, those first that users run."""


def locate(run: Run, arm: RunName, prompt_index: int, step: int) -> Place | None:
    """The first module that gives something else for this prompt in the arm than alone, although its inputs agree.

    Args:
        run: The batch, in the dtype in which the model calculates now.
        arm: One of `LOCATED`.
        prompt_index: A prompt that differs.
        step: The first new token at which it does.

    Returns:
        None if no module differs beyond rounding, or the model's inputs cannot be compared.
    """
    way, rows_of = _WAYS[arm]
    rows = rows_of(run, prompt_index)
    row = max(number for number, (index, _) in enumerate(rows) if index == prompt_index)
    alone = [(prompt_index, unpadded(run.batch.prompts[prompt_index]))]
    perturbed = partial(rounding_errors, run.model)
    return find_place(
        run.model, way(run, alone, 0, step), way(run, rows, row, step), perturbed, prompt_index=prompt_index
    )
