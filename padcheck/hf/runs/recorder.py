"""Executes single runs and records what they give: rows, differences, warnings, or the error that they raised."""

from collections.abc import Callable
from typing import TypeVar

from transformers import PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError
from padcheck.core.progress import Progress
from padcheck.core.run_plans import IN_FLOAT32, RUN_PLANS, USER_RUNS, RunName
from padcheck.core.run_results import RowDifference, RunResult
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.library.exceptions import NotOpenError, error_text, is_out_of_memory, raised_in_forward
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.context import RunContext, Traces
from padcheck.hf.runs.run_log import RunLog
from padcheck.hf.runs.table import EXECUTIONS

_KEPT = {*USER_RUNS, *IN_FLOAT32.values(), *(plan.reference for plan in RUN_PLANS.values())}
"""The runs whose logits stay in memory until the batch is done, since others are compared with them."""

_Result = TypeVar("_Result")


class OutOfMemoryError(NotMeasuredError):
    """A batch does not fit into memory."""


class Recorder:
    """Executes runs on one batch after another.

    Attributes:
        logs: What each run gave so far.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.logs: dict[RunName, RunLog] = {}
        self._tokenizer = tokenizer

    def run(self, name: RunName, context: RunContext, progress: Progress) -> None:
        """Executes a run and keeps its result."""
        self.execute(name, context, context, progress)
        self.keep(name, context)

    def execute(self, name: RunName, context: RunContext, chosen: RunContext, progress: Progress) -> None:
        """Puts the traces of a run, on the prompts of `chosen`, into the context.

        They are empty if the run raises now or has raised before.
        """
        log = self.begin(name, context)
        with progress.stage(f"running {log.plan.description}", name):
            failed = log.error is not None
            found = None if failed else self.guarded(name, lambda: EXECUTIONS[name].function(chosen))
        context.traces[name] = dict(zip(chosen.batch.prompts, found, strict=True)) if found else {}

    def keep(self, name: RunName, context: RunContext) -> None:
        """Keeps rows and differences; the logits too, if another run may be compared with them."""
        log = self.logs[name]
        references: Traces = {} if log.reference is None else context.traces.get(log.reference, {})
        log.keep(self._tokenizer, context.traces[name], references)
        if name not in _KEPT:
            del context.traces[name]

    def begin(self, name: RunName, context: RunContext) -> RunLog:
        """The log of a run, with the dtype and the reference that it has in this context."""
        log = self.logs.setdefault(name, RunLog(RUN_PLANS[name]))
        log.begin(context)
        return log

    def guarded(self, name: RunName, call: Callable[[], _Result]) -> _Result | None:
        """What the call gives. If it raises, the run keeps the error, and the result is None.

        Raises:
            OutOfMemoryError: Memory ran out in the model's own dtype.
            NotMeasuredError: The call ended the measurement.
        """
        log = self.logs[name]
        with captured_warnings() as messages:
            try:
                with in_step():
                    found = call()
            except NotMeasuredError:
                raise
            except Exception as error:
                if is_out_of_memory(error) and log.dtype is None:
                    raise OutOfMemoryError(
                        f"Memory ran out: {error}",
                        meaning="The model, its cache or the logits of a batch do not fit.",
                        change="Use a smaller --batch-size, or auto, fewer --max-new-tokens, --dtype bfloat16, "
                        "--device-map auto or --tiny.",
                    ) from error
                log.error = error_text(error)
                log.refused = isinstance(error, NotOpenError) or not raised_in_forward(error)
                found = None
        log.say(messages)
        return found

    def results(self) -> dict[str, RunResult]:
        """Every run that was executed, in the order of the report."""
        return {name: self.logs[name].evidence() for name in RUN_PLANS if name in self.logs}

    def differences(self) -> dict[str, tuple[RowDifference, ...]]:
        """How far each row is from its reference."""
        return {
            name: self.logs[name].all_differences()
            for name, plan in RUN_PLANS.items()
            if name in self.logs and plan.reference is not None
        }
