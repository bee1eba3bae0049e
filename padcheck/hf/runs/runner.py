"""Runs the arms on one batch after another, and decides which of them each batch calls for.

First come the three arms that users run. Then a few cheap probes run, on the shortest and the longest prompt of the
batch; in float32 if the model is in 16 bit, since faults stand out from rounding there. If anything differs that should
agree, or if a fault made on purpose does not show, the batch is in doubt: every prompt then runs alone through
generate(), the probes run on all prompts, and the expensive ones look for the cause and the place.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TypeVar

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError
from padcheck.core.evidence import PadCountSweep, Place, PrecisionStep, RowDifference, RunResult
from padcheck.core.progress import Progress
from padcheck.core.run_plans import HALF_ONLY, IN_FLOAT32, RUN_PLANS, SINGLE, USER_RUNS, RunName
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.float32.view import HALF, Float32View, error_text
from padcheck.hf.library.exceptions import is_out_of_memory
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.differences import precision_steps
from padcheck.hf.runs.doubt import Doubt
from padcheck.hf.runs.locate import LOCATED, locate
from padcheck.hf.runs.noise import NoiseMeter
from padcheck.hf.runs.pad_counts import screen_pad_counts, sweep_pad_counts
from padcheck.hf.runs.run_log import RunLog
from padcheck.hf.runs.stand_ins import alone, generated
from padcheck.hf.runs.table import EXECUTIONS, Run

_TRUTH: tuple[RunName, RunName] = ("left_float32", "single_float32")
_KEPT = {*USER_RUNS, *IN_FLOAT32.values(), *(plan.reference for plan in RUN_PLANS.values())}
"""The arms whose logits stay for the length of a batch."""

_Traces = dict[int, RowTrace]
_Result = TypeVar("_Result")


class OutOfMemoryError(NotMeasuredError):
    """A batch does not fit."""


class Bench:
    """What the arms gave so far, batch after batch.

    Attributes:
        noise: What rounding does.
        precision: The errors of 16 bit, with and without pads.
        screen: A few pad counts, of the first batch.
        sweep: Many pad counts, of the first batch in doubt.
        places: The module in which an arm begins to differ, of the first batch in which it does.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: MeasureSettings) -> None:
        self.noise = NoiseMeter(model, settings.seed)
        self.precision: list[PrecisionStep] = []
        self.screen: PadCountSweep | None = None
        self.sweep: PadCountSweep | None = None
        self.places: dict[str, Place] = {}
        self._model = model
        self._tokenizer = tokenizer
        self._settings = settings
        self._in_float32 = Float32View(model) if model.dtype in HALF else None
        self._own_pad_token_id = model.generation_config.pad_token_id
        self._plans = {name: plan for name, plan in RUN_PLANS.items() if model.dtype in HALF or name not in HALF_ONLY}
        self._logs: dict[RunName, RunLog] = {}
        self._doubt = Doubt(model, self._logs, self.noise)

    def run(self, batch: Batch, progress: Progress) -> None:
        """Adds one batch."""
        run = Run(self._model, batch, self._settings, self._own_pad_token_id, {})
        self._run_as_users_do(run, progress)
        probing = self._with_truth(run, progress)
        with self._calculating(probing):
            self._probe(probing, progress)
        if not self._settings.thorough and not self._is_in_doubt(batch):
            return
        self._generate_all(SINGLE, run, progress)
        self._run_arm("replayed", run, progress)
        self._measure_rounding(run, batch, progress, in_doubt=True)
        with self._calculating(probing):
            self._search(probing, progress)
        if probing.in_float32 and self._doubt.off("left", batch) and not self._doubt.off("left_float32", batch):
            # Only 16 bit has this fault, so that is where another attention implementation may help.
            self._run_arm("left_other_attention", run, progress)
            self._locate("left", run, progress)

    def _is_in_doubt(self, batch: Batch) -> bool:
        return self._doubt.about(batch) or self._screen_is_off()

    def _screen_is_off(self) -> bool:
        steps = [count.step for count in self.screen.counts] if self.screen is not None else []
        return bool(steps) and self._doubt.any_off("forward", steps)

    def results(self) -> dict[str, RunResult]:
        """Every arm that ran."""
        return {name: self._logs[name].evidence() for name in self._plans if name in self._logs}

    def differences(self) -> dict[str, tuple[RowDifference, ...]]:
        """How far each row is from its reference."""
        return {
            name: self._logs[name].all_differences()
            for name, plan in self._plans.items()
            if name in self._logs and plan.reference is not None
        }

    def left_out(self) -> tuple[str, ...]:
        """The expensive arms that did not run."""
        return tuple(name for name, plan in self._plans.items() if plan.expensive and name not in self._logs)

    def _run_as_users_do(self, run: Run, progress: Progress) -> None:
        """The prompts alone and both sides, in the model's own dtype, and what rounding does there."""
        few = (
            run.batch if self._settings.thorough or self._settings.do_sample else EXECUTIONS[SINGLE].prompts(run.batch)
        )
        own: tuple[tuple[RunName, Batch], ...] = ((SINGLE, few), ("left", run.batch), ("right", run.batch))
        for name, batch in own:
            run.traces[name] = self._traces(name, replace(run, batch=batch), progress)
        self._complete_alone(SINGLE, run, progress)
        for name in USER_RUNS:
            self._keep(name, run)
        self._run_arm("replayed", run, progress)
        self._measure_rounding(run, few if run.in_half else run.batch.longest(), progress)

    def _measure_rounding(self, run: Run, batch: Batch, progress: Progress, *, in_doubt: bool = False) -> None:
        """What rounding does to these prompts, replayed with the tokens that they chose alone."""
        alone = run.of(SINGLE)
        with progress.stage("measuring what rounding does", "noise"):
            self.noise.measure(run, batch.only(*alone), in_doubt=in_doubt)

    def _complete_alone(self, name: RunName, run: Run, progress: Progress) -> None:
        """The prompts alone that did not go through generate(): a stand-in, or generate() if it does not agree."""
        left, known = run.of("left"), run.traces.setdefault(name, {})
        if self._logs[name].error is not None:
            return
        with progress.stage("running the other prompts alone", "stand_ins"):
            run.traces[name] = self._guarded(self._logs[name], lambda: alone(run, left, known)) or {}

    def _with_truth(self, run: Run, progress: Progress) -> Run:
        """The run of the probes: in float32 if the model is in 16 bit and that is possible."""
        if self._in_float32 is None or not run.traces["left"]:
            return run
        probing = replace(run, in_float32=True)
        left, single = (self._log(name) for name in _TRUTH)
        left.begin(probing)
        single.begin(probing)
        try:
            with self._calculating(probing):
                self._run_truth(probing, progress)
        except NotMeasuredError:
            raise
        except Exception as error:  # noqa: BLE001  without float32 the probes run in 16 bit
            left.error = single.error = error_text(error)
        return run if left.error or single.error else probing

    def _calculating(self, run: Run) -> AbstractContextManager[None]:
        """The context in which the model calculates in the dtype of a run."""
        return self._in_float32.opened() if run.in_float32 and self._in_float32 is not None else nullcontext()

    def _run_truth(self, run: Run, progress: Progress) -> None:
        """In float32 the left-padded batch and each prompt alone, on the tokens of the 16-bit left arm."""
        left, single = _TRUTH
        run.traces[left] = self._traces(left, run, progress)
        self._complete_alone(single, run, progress)
        for name in _TRUTH:
            self._keep(name, run)
        self._run_arm("replayed_float32", run, progress)
        self.noise.add_float32(run.traces[SINGLE], run.traces[single])
        for index, left_trace in run.traces["left"].items():
            if index in run.traces[single] and index in run.traces[SINGLE]:
                alone_trace, truth = run.traces[SINGLE][index], run.traces[single][index]
                self.precision += precision_steps(index, left_trace, alone_trace, truth)
        self._measure_rounding(run, run.batch.longest(), progress)

    def _probe(self, run: Run, progress: Progress) -> None:
        """The cheap probes, each on the few prompts that it needs."""
        for name, plan in self._plans.items():
            if plan.as_loaded or name in HALF_ONLY or plan.expensive:
                continue
            batch = run.batch if self._settings.thorough else EXECUTIONS[name].prompts(run.batch)
            if name == "forward":
                # Scored batches hold all prompts; of a stand-in the first step is what forward() gives.
                stand_ins = {i: trace.first_step() for i, trace in run.of(SINGLE).items() if trace.stand_in}
                batch = run.batch.only(*batch.prompts, *(run.batch.prompts.keys() - stand_ins.keys()))
                self._run_arm(name, replace(run, batch=batch), progress)
                run.traces[name] = stand_ins | run.traces[name]
            else:
                self._run_arm(name, replace(run, batch=batch), progress)
        if self.screen is None and run.of(SINGLE):
            with progress.stage("running a few numbers of pads", "screen"), captured_warnings():
                self.screen = screen_pad_counts(run)

    def _search(self, run: Run, progress: Progress) -> None:
        """Looks for the cause: nothing stands in any more, and every probe runs on all prompts."""
        if run.in_float32:
            self._generate_all("single_float32", run, progress)
            self._run_arm("replayed_float32", run, progress)
            self._measure_rounding(run, run.batch, progress, in_doubt=True)
        padded: tuple[RunName, ...] = ("left", "right", "left_float32")
        for name in padded:
            if name in run.traces:
                self._keep(name, run)
        for name, plan in self._plans.items():
            if plan.expensive or not (plan.as_loaded or name in HALF_ONLY or self._settings.thorough):
                self._run_on_all(name, run, progress)
        if self.sweep is None and run.of(SINGLE):
            with progress.stage("running ever more pads", "pad_counts"), captured_warnings():
                self.sweep = sweep_pad_counts(run)
                if self._screen_is_off():
                    self.screen = screen_pad_counts(run, each_alone=True)
        for name in LOCATED:
            self._locate(name, run, progress)

    def _locate(self, name: RunName, run: Run, progress: Progress) -> None:
        """The module in which an arm begins to differ; once for left padding or the batch, once for scoring."""
        if name == "left" and run.in_float32:
            return
        group = {"right_forward"} if name == "right_forward" else set(LOCATED) - {"right_forward"}
        found = self._doubt.first_off(name, run.batch)
        if found is None or group & self.places.keys():
            return
        with progress.stage("looking for the module", "place"), captured_warnings():
            try:
                with in_step():
                    place = locate(run, name, *found)
            except Exception:  # noqa: BLE001  the verdict stands without it
                return
        if place is not None:
            self.places[name] = place

    def _run_on_all(self, name: RunName, run: Run, progress: Progress) -> None:
        """What was off on a few prompts of the batch, and is not on all of them, runs on the few again."""
        was_off = self._doubt.off(name, run.batch)
        self._run_arm(name, run, progress)
        if was_off and not self._doubt.off(name, run.batch):
            self._run_arm(name, replace(run, batch=EXECUTIONS[name].prompts(run.batch)), progress)

    def _generate_all(self, name: RunName, run: Run, progress: Progress) -> None:
        with progress.stage("running the other prompts alone", "stand_ins"):
            for index, trace in run.traces.get(name, {}).items():
                if trace.stand_in is not None:
                    own = self._guarded(self._logs[name], partial(generated, run, index))
                    if own is not None:
                        run.traces[name][index] = own
        self._keep(name, run)

    def _run_arm(self, name: RunName, run: Run, progress: Progress) -> None:
        run.traces[name] = self._traces(name, run, progress)
        self._keep(name, run)

    def _traces(self, name: RunName, run: Run, progress: Progress) -> _Traces:
        """What an arm gives on this batch; nothing if it raises now or has raised before."""
        log = self._log(name)
        log.begin(run)
        with progress.stage(f"running {log.plan.description}", name):
            found = None if log.error is not None else self._guarded(log, lambda: EXECUTIONS[name].function(run))
        return dict(zip(run.batch.prompts, found, strict=True)) if found else {}

    def _keep(self, name: RunName, run: Run) -> None:
        """Keeps what an arm gave on this batch; its logits too, if another arm may be compared with it."""
        log = self._logs[name]
        references = {} if log.reference is None else run.traces.get(log.reference, {})
        log.keep(self._tokenizer, run.traces[name], references)
        if name not in _KEPT:
            del run.traces[name]

    def _log(self, name: RunName) -> RunLog:
        return self._logs.setdefault(name, RunLog(RUN_PLANS[name]))

    def _guarded(self, log: RunLog, call: Callable[[], _Result]) -> _Result | None:
        """What the call gives; None if it raises, and the arm keeps the error."""
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
                found = None
        log.say(messages)
        return found
