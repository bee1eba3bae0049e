"""Decides which runs a batch needs, and executes them.

The user runs come first: the prompts alone and the batch with both padding sides. A few cheap probes follow, on the
shortest and the longest prompt of the batch, and the modes that were asked for; in float32 if the model is in 16 bit,
since faults stand out from rounding there. If something differs that should agree, or if a fault made on purpose does
not show, the batch is in doubt: then every prompt runs alone through generate(), the probes run on all prompts, and the
expensive ones look for the cause and the place.
"""

from dataclasses import replace
from functools import partial

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError
from padcheck.core.evidence import PadCountSweep, Place, PrecisionStep
from padcheck.core.progress import Progress
from padcheck.core.run_plans import HALF_ONLY, IN_FLOAT32, RUN_PLANS, SINGLE, USER_RUNS, RunName
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.float32.view import Float32View
from padcheck.hf.library.exceptions import error_text
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.differences import precision_steps
from padcheck.hf.runs.doubt import Doubt
from padcheck.hf.runs.locate import LOCATED, locate
from padcheck.hf.runs.noise import NoiseMeter
from padcheck.hf.runs.pad_counts import screen_pad_counts, sweep_pad_counts
from padcheck.hf.runs.recorder import Recorder
from padcheck.hf.runs.runtime import AsLoaded, InFloat32
from padcheck.hf.runs.stand_ins import alone, generated
from padcheck.hf.runs.table import EXECUTIONS

_CHEAP_PROBES = tuple(
    name for name, plan in RUN_PLANS.items() if not (plan.as_loaded or plan.expensive or plan.mode or name in HALF_ONLY)
)
_EXPENSIVE_PROBES = tuple(name for name, plan in RUN_PLANS.items() if plan.expensive)
_USER_RUNS_IN_FLOAT32: tuple[RunName, RunName] = ("left_float32", "single_float32")


class Runner:
    """What the runs gave so far, batch after batch.

    Attributes:
        recorder: Executes the runs, and keeps what they gave.
        noise: How far rounding moves the logits.
        precision: The errors of 16 bit, with and without pads.
        screen: A few pad counts, from the first batch.
        sweep: Many pad counts, from the first batch in doubt.
        places: The module in which a run begins to differ, from the first batch in which it does.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: MeasureSettings) -> None:
        self.recorder = Recorder(tokenizer)
        self.noise = NoiseMeter(model, settings.seed)
        self.precision: list[PrecisionStep] = []
        self.screen: PadCountSweep | None = None
        self.sweep: PadCountSweep | None = None
        self.places: dict[str, Place] = {}
        self._runtime = AsLoaded(model, settings, model.generation_config.pad_token_id)
        self._float32_view = Float32View(model) if model.dtype in HALF else None
        self._thorough = settings.thorough
        self._cheap_probes = tuple(
            name
            for name in _CHEAP_PROBES
            if settings.packed or settings.task == "train" or not RUN_PLANS[name].for_training
        )
        self._modes = settings.modes
        self._doubt = Doubt(model, self.recorder.logs, self.noise)

    def run(self, batch: Batch, progress: Progress) -> None:
        """Adds one batch."""
        as_loaded = RunContext(self._runtime, batch)
        self._run_as_users_do(as_loaded, progress)
        probing = self._context_of_probes(as_loaded, progress)
        with probing.runtime.opened():
            self._probe(probing, progress)
            self._run_modes(probing, progress)
        if not self._thorough and not self._is_in_doubt(batch):
            return
        self._generate_all(SINGLE, as_loaded, progress)
        self.recorder.run("replayed", as_loaded, progress)
        self._measure_rounding(as_loaded, batch, progress, in_doubt=True)
        with probing.runtime.opened():
            self._search(replace(probing, in_doubt=True), progress)
        only_in_half = self._doubt.off("left", batch) and not self._doubt.off("left_float32", batch)
        if probing.runtime.in_float32 and only_in_half:
            # The fault exists in 16 bit alone, so the other attention implementation and the place are tried there.
            self.recorder.run("left_other_attention", as_loaded, progress)
            self._locate("left", as_loaded, progress)

    def left_out(self) -> tuple[str, ...]:
        """The expensive probes that did not run."""
        return tuple(name for name in _EXPENSIVE_PROBES if name not in self.recorder.logs)

    def _run_as_users_do(self, context: RunContext, progress: Progress) -> None:
        """The user runs, and what rounding does to the prompts alone; all in the model's own dtype."""
        every = self._thorough or self._runtime.settings.do_sample
        few = context.on(context.batch if every else EXECUTIONS[SINGLE].prompts(context.batch))
        for name in USER_RUNS:
            self.recorder.execute(name, context, few if RUN_PLANS[name].stand_in else context, progress)
        self._complete_alone(SINGLE, context, progress)
        for name in USER_RUNS:
            self.recorder.keep(name, context)
        self.recorder.run("replayed", context, progress)
        measured = few.batch if self._runtime.in_half else context.batch.longest()
        self._measure_rounding(context, measured, progress)

    def _context_of_probes(self, as_loaded: RunContext, progress: Progress) -> RunContext:
        """The context of the probes: in float32 if the model is in 16 bit and can calculate in float32."""
        left = as_loaded.traces["left"]
        if self._float32_view is None or not left:
            return as_loaded
        tokens = {index: trace.generated_ids for index, trace in left.items()}
        runtime = InFloat32(
            self._runtime.model, self._runtime.settings, self._runtime.own_pad_token_id, self._float32_view, tokens
        )
        context = RunContext(runtime, as_loaded.batch, as_loaded.traces)
        logs = [self.recorder.begin(name, context) for name in _USER_RUNS_IN_FLOAT32]
        try:
            with runtime.opened():
                self._run_as_users_do_in_float32(context, progress)
        except NotMeasuredError:
            raise
        except Exception as error:  # noqa: BLE001  the probes then run in 16 bit
            for log in logs:
                log.error = error_text(error)
        return as_loaded if any(log.error for log in logs) else context

    def _run_as_users_do_in_float32(self, context: RunContext, progress: Progress) -> None:
        """The left-padded batch and each prompt alone in float32, with the tokens of the 16-bit left-padded run."""
        left, single = _USER_RUNS_IN_FLOAT32
        self.recorder.execute(left, context, context, progress)
        self._complete_alone(single, context, progress)
        for name in _USER_RUNS_IN_FLOAT32:
            self.recorder.keep(name, context)
        self.recorder.run("replayed_float32", context, progress)
        traces = context.traces
        self.noise.add_float32(traces[SINGLE], traces[single])
        for index, left_trace in traces["left"].items():
            if index in traces[single] and index in traces[SINGLE]:
                self.precision += precision_steps(index, left_trace, traces[SINGLE][index], traces[single][index])
        self._measure_rounding(context, context.batch.longest(), progress)

    def _complete_alone(self, name: RunName, context: RunContext, progress: Progress) -> None:
        """Adds the prompts alone that did not go through generate() yet, as stand-ins where those agree."""
        left, known = context.of("left"), context.traces.setdefault(name, {})
        if self.recorder.logs[name].error is not None:
            return
        with progress.stage("running the other prompts alone", "stand_ins"):
            context.traces[name] = self.recorder.guarded(name, lambda: alone(context, left, known)) or {}

    def _generate_all(self, name: RunName, context: RunContext, progress: Progress) -> None:
        """Replaces each stand-in of a run by generate()."""
        with progress.stage("running the other prompts alone", "stand_ins"):
            for index, trace in context.traces.get(name, {}).items():
                if trace.stand_in is not None:
                    own = self.recorder.guarded(name, partial(generated, context, index))
                    if own is not None:
                        context.traces[name][index] = own
        self.recorder.keep(name, context)

    def _measure_rounding(
        self, context: RunContext, batch: Batch, progress: Progress, *, in_doubt: bool = False
    ) -> None:
        """What rounding does to these prompts, replayed with the tokens that they chose alone."""
        with progress.stage("measuring what rounding does", "noise"):
            self.noise.measure(context, batch.only(*context.of(SINGLE)), in_doubt=in_doubt)

    def _probe(self, context: RunContext, progress: Progress) -> None:
        """The cheap probes, each on the few prompts that it needs."""
        for name in self._cheap_probes:
            batch = context.batch if self._thorough else EXECUTIONS[name].prompts(context.batch)
            if name != "forward":
                self.recorder.run(name, context.on(batch), progress)
                continue
            # Right-padded scores are compared for all prompts. The first step of a stand-in is what forward() gives.
            stand_ins = {i: trace.first_step() for i, trace in context.of(SINGLE).items() if trace.stand_in}
            others = context.batch.only(*batch.prompts, *(context.batch.prompts.keys() - stand_ins.keys()))
            self.recorder.run(name, context.on(others), progress)
            context.traces[name] = stand_ins | context.traces[name]
        if self.screen is None and context.of(SINGLE):
            with progress.stage("running a few pad counts", "screen"), captured_warnings():
                self.screen = screen_pad_counts(context)

    def _run_modes(self, context: RunContext, progress: Progress) -> None:
        """The modes that were asked for, on every prompt."""
        for name, plan in RUN_PLANS.items():
            if plan.mode in self._modes:
                batch = EXECUTIONS[name].prompts(context.batch)
                self.recorder.run(name, context.on(batch), progress)

    def _is_in_doubt(self, batch: Batch) -> bool:
        return self._doubt.about(batch) or self._screen_is_off()

    def _screen_is_off(self) -> bool:
        steps = [count.step for count in self.screen.counts] if self.screen is not None else []
        return bool(steps) and self._doubt.any_off("forward", steps)

    def _search(self, context: RunContext, progress: Progress) -> None:
        """Looks for the cause: without stand-ins, with every probe on all prompts, and with the expensive probes."""
        if context.runtime.in_float32:
            self._generate_all("single_float32", context, progress)
            self.recorder.run("replayed_float32", context, progress)
            self._measure_rounding(context, context.batch, progress, in_doubt=True)
        for name in (*USER_RUNS, *IN_FLOAT32.values()):
            # Compared again, since the prompts alone have changed.
            if name in context.traces and RUN_PLANS[name].padding_side is not None:
                self.recorder.keep(name, context)
        for name in RUN_PLANS:
            if name in _EXPENSIVE_PROBES or (name in self._cheap_probes and not self._thorough):
                self._run_on_all(name, context, progress)
        if self.sweep is None and context.of(SINGLE):
            with progress.stage("running many pad counts", "pad_counts"), captured_warnings():
                self.sweep = sweep_pad_counts(context)
                if self._screen_is_off():
                    self.screen = screen_pad_counts(context, each_alone=True)
        for name in LOCATED:
            self._locate(name, context, progress)

    def _run_on_all(self, name: RunName, context: RunContext, progress: Progress) -> None:
        """Runs a probe on all prompts; if it then agrees although it was off on a few prompts, the few run again."""
        was_off = self._doubt.off(name, context.batch)
        self.recorder.run(name, context, progress)
        if was_off and not self._doubt.off(name, context.batch):
            self.recorder.run(name, context.on(EXECUTIONS[name].prompts(context.batch)), progress)

    def _locate(self, name: RunName, context: RunContext, progress: Progress) -> None:
        """The module in which a run begins to differ: once for left padding or the batch, once for scoring."""
        if name == "left" and context.runtime.in_float32:
            return
        group = {"right_forward"} if name == "right_forward" else set(LOCATED) - {"right_forward"}
        found = self._doubt.first_off(name, context.batch)
        if found is None or group & self.places.keys():
            return
        with progress.stage("looking for the module", "place"), captured_warnings():
            try:
                with in_step():
                    place = locate(context, name, *found)
            except Exception:  # noqa: BLE001  the verdict does not need the place
                return
        if place is not None:
            self.places[name] = place
