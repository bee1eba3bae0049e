"""Runs the arms, batch after batch, and turns what they give into plain numbers."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.errors import NotMeasuredError
from padcheck.evidence import SINGLE, Arm, NoiseProbe, PadCountSweep, Row, RowDifference
from padcheck.floor import noise_floor, tolerance_of
from padcheck.hf.batches import Batch
from padcheck.hf.capture import captured_warnings
from padcheck.hf.devices import empty_cache
from padcheck.hf.differences import compare_rows
from padcheck.hf.encoding import build_row, token_text
from padcheck.hf.generation import RowTrace, neutral_generation_config
from padcheck.hf.load_errors import is_out_of_memory
from padcheck.hf.noise import NoiseMeter
from padcheck.hf.pad_tokens import PadToken
from padcheck.hf.plans import PLANS, ArmPlan, Run
from padcheck.hf.positions import num_layers
from padcheck.hf.ranks import in_step
from padcheck.hf.sharing import may_share, run_shared
from padcheck.hf.sweep import sweep_pad_counts
from padcheck.hf.twin import HALF, Float32Twin, error_text
from padcheck.progress import OfBatch, Progress
from padcheck.settings import MeasureSettings
from padcheck.tolerances import share_of_allowance

_LARGEST_BATCH = 64
"""That is tried where the size is left to padcheck: beyond it nothing is gained."""

_REFERENCES = {plan.reference for plan in PLANS.values()}

_OFF_BY_ROUNDING_ALONE = ("left", "left_alone", "scrambled", "replayed", "left_forward_positions", "left_float32")


@dataclass
class _ArmLog:
    """An arm while it runs, batch after batch."""

    plan: ArmPlan
    rows: list[Row] = field(default_factory=list)
    differences: list[RowDifference] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def say(self, messages: list[str]) -> None:
        self.warnings += [message for message in messages if message not in self.warnings]

    def evidence(self) -> Arm:
        return Arm(
            description=self.plan.description,
            reference=self.plan.reference,
            dtype="float32" if self.plan.half_only else None,
            padding_side=self.plan.padding_side,
            warnings=tuple(self.warnings),
            rows=tuple(self.rows),
            error=self.error,
        )


@dataclass(frozen=True)
class Measured:
    """What the arms gave, under the names of `Evidence`; `left_out` are the dear ones that nothing called for."""

    arms: dict[str, Arm]
    differences: dict[str, tuple[RowDifference, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    noise: dict[str, NoiseProbe] = field(default_factory=dict)
    sweep: PadCountSweep | None = None
    batch_size: int | None = None
    batch_sizes_too_large: tuple[int, ...] = ()


class _OutOfMemoryError(NotMeasuredError):
    """A batch does not fit."""


def run_arms(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: tuple[tuple[int, ...], ...],
    pad_token: PadToken,
    *,
    settings: MeasureSettings,
    progress: Progress,
) -> Measured:
    """Runs every arm over batches of `settings.batch_size` prompts, and compares each batch before the next one runs.

    So the logits in memory are those of one batch, however many prompts there are. Where memory runs out and the size
    is left to padcheck, all prompts run anew in batches of half the size. An arm that raises keeps its error and is not
    run again. The model is left as it was found.

    Raises:
        NotMeasuredError: Memory ran out.
    """
    *larger, last = _batch_sizes(settings, len(encoded))
    run_in = partial(_run_in_batches, model, tokenizer, encoded, pad_token, settings=settings, progress=progress)
    for tried, size in enumerate(larger):
        with suppress(_OutOfMemoryError):
            return replace(run_in(size), batch_sizes_too_large=tuple(larger[:tried]))
        gc.collect()
        empty_cache(model)
    return replace(run_in(last), batch_sizes_too_large=tuple(larger))


def _run_in_batches(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: tuple[tuple[int, ...], ...],
    pad_token: PadToken,
    size: int,
    *,
    settings: MeasureSettings,
    progress: Progress,
) -> Measured:
    bench = _Bench(model, tokenizer, settings)
    batches = list(_batches(model, encoded, pad_token, size, settings.seed))
    with evaluating(model), neutral_generation_config(model, pad_token.token_id):
        for number, batch in enumerate(batches, start=1):
            bench.run(batch, OfBatch(progress, number, len(batches)))
    return replace(bench.measured(), batch_size=size)


def _batch_sizes(settings: MeasureSettings, num_prompts: int) -> list[int]:
    """The sizes to try, each half of the one before it: one where the user gave it."""
    if settings.batch_size != "auto":
        return [settings.batch_size]
    sizes = [max(2, min(_LARGEST_BATCH, num_prompts))]
    while sizes[-1] > 3:  # noqa: PLR2004  half of it is still a batch
        sizes.append(sizes[-1] // 2)
    return sizes


def not_run(error: str) -> Measured:
    """What the arms give where none may be run."""
    return Measured(arms={name: replace(_ArmLog(plan), error=error).evidence() for name, plan in PLANS.items()})


class _Bench:
    """What the arms gave so far, batch after batch.

    The dear probes run on a batch in which a cheap one is off by more than rounding, or on all where that is asked for.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: MeasureSettings,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._settings = settings
        self._twin = Float32Twin(model)
        self._own_pad_token_id = model.generation_config.pad_token_id
        self._plans = {name: plan for name, plan in PLANS.items() if model.dtype in HALF or not plan.half_only}
        self._logs: dict[str, _ArmLog] = {}
        self._noise = NoiseMeter(model, self._twin, settings.seed)
        self._sweep: PadCountSweep | None = None

    def run(self, batch: Batch, progress: Progress) -> None:
        """Adds one batch."""
        run = Run(self._model, batch, self._settings, self._twin, self._own_pad_token_id, {})
        shared = self._share(run, progress)
        quick = bool(shared)
        cheap = [name for name, plan in self._plans.items() if not (plan.half_only or plan.dear)]
        self._run_arms(run, progress, [name for name in cheap if name not in shared], quick=quick)
        replayed, some = run.traces["replayed"], batch.longest() if quick else batch
        with progress.stage("measuring what rounding does", "noise"):
            self._noise.measure(some, [replayed[index] for index in some.prompts if index in replayed])
        self._run_arms(run, progress, [name for name, plan in self._plans.items() if plan.half_only], quick=quick)
        # Gone before anything else needs the memory.
        self._twin.drop()
        if not self._settings.thorough and not self._disagree(batch):
            return
        self._run_arms(run, progress, [name for name, plan in self._plans.items() if plan.dear], quick=quick)
        if self._sweep is None and run.traces[SINGLE]:
            with progress.stage("running ever more pads", "pad_counts"), captured_warnings():
                self._sweep = sweep_pad_counts(run)

    def _share(self, run: Run, progress: Progress) -> set[str]:
        """The arms that the quick way gave for this batch: its reference then is a replay, and no other is needed."""
        if not may_share(run) or any(log.error is not None for log in self._logs.values()):
            return set()
        shared = run_shared(run, progress)
        if shared is None:
            return set()
        run.traces["replayed"] = shared.traces[SINGLE]
        for name, plan in PLANS.items():
            if name in shared.traces:
                log = self._logs.setdefault(name, _ArmLog(plan))
                log.say(shared.warnings.get(name, []))
                self._keep(run, name, shared.traces[name])
        return {*shared.traces, "replayed"}

    def measured(self) -> Measured:
        """What all batches gave."""
        return Measured(
            arms={name: self._logs[name].evidence() for name in self._plans if name in self._logs},
            differences=self._differences(),
            left_out=tuple(name for name in self._plans if name not in self._logs),
            noise=self._noise.evidence(),
            sweep=self._sweep,
        )

    def _run_arms(self, run: Run, progress: Progress, names: list[str], *, quick: bool) -> None:
        for name in names:
            plan = PLANS[name]
            if quick and plan.quick is None:
                continue
            on = replace(run, batch=plan.quick(run.batch)) if quick and plan.quick is not None else run
            log = self._logs.setdefault(name, _ArmLog(plan))
            with progress.stage(f"running {plan.description}", name):
                traces = dict(zip(on.batch.prompts, _run(log, partial(plan.run, on)), strict=False))
            self._keep(run, name, traces)

    def _keep(self, run: Run, name: str, traces: dict[int, RowTrace]) -> None:
        """Compares an arm with its reference. Its logits are let go where no other arm will be compared with it."""
        log = self._logs[name]
        if name in _REFERENCES:
            run.traces[name] = traces
        _record(log, self._tokenizer, traces, run.traces.get(log.plan.reference or "", {}))

    def _differences(self) -> dict[str, tuple[RowDifference, ...]]:
        return {
            name: tuple(self._logs[name].differences)
            for name, plan in self._plans.items()
            if name in self._logs and plan.reference is not None
        }

    def _disagree(self, batch: Batch) -> bool:
        """True where an arm is off by more than rounding that should not be, so that the cause is worth some time."""
        dtype = str(self._model.dtype).removeprefix("torch.")
        floor = noise_floor(dtype, num_layers(self._model.config), self._noise.evidence(), self._differences())
        logs = [self._logs[name] for name in _OFF_BY_ROUNDING_ALONE if name in self._logs]
        return any(
            share_of_allowance(step.max_abs_diff, tolerance.allowed(step.logit_scale)) > 1
            for log, tolerance in ((log, tolerance_of(floor, log.evidence())) for log in logs)
            for difference in log.differences
            if difference.prompt_index in batch.prompts
            for step in difference.steps
        )


def _batches(
    model: PreTrainedModel, encoded: tuple[tuple[int, ...], ...], pad_token: PadToken, size: int, seed: int
) -> Iterator[Batch]:
    embedding_rows = model.get_input_embeddings().weight.shape[0]
    for start in range(0, len(encoded), size):
        chosen = range(start, min(start + size, len(encoded)))
        prompts = {index: encoded[index] for index in chosen}
        width = max(map(len, prompts.values()))
        yield Batch(prompts, width, pad_token.token_id, embedding_rows, seed)


def _run(log: _ArmLog, run: Callable[[], list[RowTrace]]) -> list[RowTrace]:
    """The traces of one batch; none where the arm raises now or has raised before."""
    if log.error is not None:
        return []
    with captured_warnings() as messages:
        try:
            with in_step():
                traces = run()
        except NotMeasuredError:
            raise
        except Exception as error:
            if is_out_of_memory(error) and not log.plan.half_only:
                raise _OutOfMemoryError(
                    f"Memory ran out: {error}",
                    meaning="The model, its cache or the logits of a batch do not fit.",
                    change="Use a smaller --batch-size, or auto, fewer --max-new-tokens, --dtype bfloat16, "
                    "--device-map auto or --tiny.",
                ) from error
            log.error = error_text(error)
            traces = []
    log.say(messages)
    return traces


def _record(
    log: _ArmLog,
    tokenizer: PreTrainedTokenizerBase,
    traces: dict[int, RowTrace],
    references: dict[int, RowTrace],
) -> None:
    text_of = partial(token_text, tokenizer)
    for index, trace in traces.items():
        log.rows.append(
            build_row(
                tokenizer,
                index,
                trace.padded,
                generated_ids=trace.generated_ids,
                position_ids=trace.position_ids,
                positions_used=trace.positions_used,
                positions_used_by=trace.positions_used_by,
                non_finite_logits=sum(int((block.isnan() | block.isposinf()).sum()) for block in trace.logits.blocks()),
            )
        )
        if log.plan.reference is not None and index in references:
            log.differences.append(compare_rows(references[index], trace, prompt_index=index, token_text=text_of))


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Dropout off for the length of the context; the training flag comes back as it was."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, flag in training.items():
            module.training = flag
