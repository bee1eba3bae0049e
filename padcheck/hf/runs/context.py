"""What a run works on: a batch, a runtime, and what earlier runs gave on this batch."""

from dataclasses import dataclass, field, replace

from padcheck.core.run_plans import IN_FLOAT32, RunName
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.runs.runtime import Runtime

Traces = dict[int, RowTrace]
"""The trace of each prompt, by its index."""


@dataclass(frozen=True)
class RunContext:
    """What a run works on.

    Attributes:
        runtime: The model, in its own dtype or in float32.
        batch: The prompts.
        traces: Of the runs that came before on this batch; empty for a run that raised.
        in_doubt: True while the cause of a difference is looked for.
    """

    runtime: Runtime
    batch: Batch
    traces: dict[RunName, Traces] = field(default_factory=dict)
    in_doubt: bool = False

    def on(self, batch: Batch) -> "RunContext":
        """The same for other prompts of the batch."""
        return replace(self, batch=batch)

    def of(self, name: RunName) -> Traces:
        """The traces of a run; those of its float32 run while the model calculates in float32."""
        return self.traces.get(self.name_of(name), {})

    def name_of(self, name: RunName) -> RunName:
        """The run itself, or its float32 run while the model calculates in float32."""
        return IN_FLOAT32.get(name, name) if self.runtime.in_float32 else name
