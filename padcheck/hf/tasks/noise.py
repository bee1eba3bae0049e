"""Measures how far random rounding errors move the numbers of a task, for texts alone."""

from transformers import PreTrainedModel

from padcheck.core.task_evidence import TaskNoise
from padcheck.hf.calls.batches import Batch
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.runs.noise import rounding_errors
from padcheck.hf.tasks.call import AS_USERS
from padcheck.hf.tasks.reading import Reader, Reading, read

_REPEATS_IN_HALF = 8
"""In 16 bit the tolerance is what was measured. A task has few numbers, so it takes many draws to see how far each may
move; in float32 the least tolerance is far above rounding, and one draw shows that."""


def measure_noise(
    model: PreTrainedModel,
    reader: Reader,
    batch: Batch,
    alone: dict[int, Reading],
    *,
    before: TaskNoise | None,
    seed: int,
) -> TaskNoise:
    """What random rounding errors do to the texts of a batch alone, added to what they did in earlier batches.

    In 16 bit every text is repeated, otherwise only the longest.

    Args:
        model: In eval mode; not changed.
        reader: The task.
        batch: The texts.
        alone: What each text alone gave without errors, in the dtype that the model calculates in now.
        before: The result of earlier batches; None for the first batch.
        seed: The seed of the errors.

    Raises:
        Exception: Any error that the model raises.
    """
    in_half = model.dtype in HALF
    chosen = batch if in_half else batch.longest()
    movements, samples = [], 0
    for rows in chosen.alone():
        [(index, _)] = rows
        if index not in alone:
            continue
        for repeat in range(_REPEATS_IN_HALF if in_half else 1):
            with rounding_errors(model, seed + repeat):
                [moved] = read(reader, model, rows, AS_USERS)
            movements.append(reader.distance(alone[index], moved).max_abs_diff)
            samples += alone[index].size
    known = [movement for movement in movements if movement is not None]
    if before is not None and before.max_abs_diff is not None:
        known.append(before.max_abs_diff)
        samples += before.samples
    return TaskNoise(max_abs_diff=max(known, default=None), samples=samples)
