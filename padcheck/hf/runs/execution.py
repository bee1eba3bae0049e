"""What the table of runs says about each run: how it is executed, and on which prompts."""

from collections.abc import Callable
from typing import NamedTuple

from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.runs.context import RunContext


class Execution(NamedTuple):
    """How a run is executed.

    Attributes:
        function: Runs the prompts of the batch and gives one trace a prompt.
        prompts: Chooses the prompts that it runs on while the batch is not in doubt; they are padded as in its
            reference.
    """

    function: Callable[[RunContext], list[RowTrace]]
    prompts: Callable[[Batch], Batch] = Batch.pair
