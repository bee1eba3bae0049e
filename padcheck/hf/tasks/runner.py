"""Executes the runs of a task on one batch after another.

The user runs come first: each text alone, and the batch padded on both sides. A 16-bit model repeats them in float32,
since faults stand out from rounding there. Then come the probes, on the shortest text with a few pads; on the whole
batch if it raises or differs from the texts alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.evidence import Place
from padcheck.core.facts import PaddingSide
from padcheck.core.progress import Progress
from padcheck.core.settings import MeasureSettings
from padcheck.core.task_evidence import TaskNoise, TaskRun
from padcheck.core.task_floor import task_tolerance
from padcheck.core.task_plans import ALONE, IN_FLOAT32, TASK_PLANS, TASK_USER_RUNS, TaskRunName
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.float32.view import Float32View
from padcheck.hf.library.config_facts import num_layers
from padcheck.hf.library.exceptions import error_text
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.recorder import guarded
from padcheck.hf.tasks.call import AS_USERS, Way
from padcheck.hf.tasks.locate import locate
from padcheck.hf.tasks.log import TaskLog
from padcheck.hf.tasks.noise import measure_noise
from padcheck.hf.tasks.read_columns import columns_read
from padcheck.hf.tasks.reading import Reader, Reading, read
from padcheck.hf.tasks.table import EXECUTIONS, with_eos

_FOR_EVERY_TASK: tuple[TaskRunName, ...] = (
    *("copies", "left_positions", "left_no_mask", "right_no_mask"),
    *("left_other_ids", "right_other_ids", "broken_mask"),
)
_ONLY_IN_DOUBT: tuple[TaskRunName, ...] = ("left_positions",)
"""The probes that say nothing if both padded batches are right."""

_ON_WHOLE_BATCH: tuple[TaskRunName, ...] = ("two_sided", "two_sided_positions")
"""The probes that are another layout, in which every token of every text counts."""

_PAD_ID_SET: dict[TaskRunName, TaskRunName] = {"left": "left_pad_id", "right": "right_pad_id"}
_WITH_COLUMNS: tuple[TaskRunName, ...] = (
    *("alone", "left", "right", "left_other_ids", "right_other_ids"),
    *_PAD_ID_SET.values(),
)
"""The runs of which the columns are found that the numbers come from, apart from `ends_in_eos`; user runs first."""

_SIDES: tuple[PaddingSide, ...] = ("left", "right")

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Pass:
    """The texts of a batch in one dtype.

    Attributes:
        batch: The texts.
        dtype: The dtype that the model calculates in, if that is not its own.
        readings: What the user runs gave in this dtype, by the name of the run and by text.
    """

    batch: Batch
    dtype: str | None = None
    readings: dict[TaskRunName, dict[int, Reading]] = field(default_factory=dict)

    def of(self, name: TaskRunName | None) -> dict[int, Reading]:
        """What a user run gave; empty if it raised."""
        return {} if name is None else self.readings.get(name, {})


class TaskRunner:
    """What the runs gave so far, batch after batch.

    Attributes:
        logs: By the name of the run.
        noise: What random rounding errors do, by dtype.
        places: The first module that differs, by the name of the run.
        float32_error: Why a 16-bit model did not run in float32; None if it did.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reader: Reader,
        *,
        settings: MeasureSettings,
    ) -> None:
        self.logs: dict[str, TaskLog] = {}
        self.noise: dict[str, TaskNoise] = {}
        self.places: dict[str, Place] = {}
        self.float32_error: str | None = None
        self._model = model
        self._tokenizer = tokenizer
        self._reader = reader
        self._seed = settings.seed
        self._thorough = settings.thorough
        self._eos_id: int | None = tokenizer.eos_token_id
        self._own_dtype = str(model.dtype).removeprefix("torch.")
        self._shortest: Rows = []
        self._view = Float32View(model, probes=(self._run_shortest,)) if model.dtype in HALF else None

    def run(self, batch: Batch, progress: Progress) -> None:
        """Adds one batch."""
        own = _Pass(batch)
        [self._shortest] = batch.shortest().alone()
        self._run_as_users_do(own, progress)
        with self._opened() as dtype:
            probing = own
            if dtype is not None:
                probing = _Pass(batch, dtype)
                self._run_as_users_do(probing, progress)
            self._probe(probing, progress)

    def runs(self) -> dict[str, TaskRun]:
        """Every run that was executed, in the order of the report."""
        names = [name + end for name in TASK_PLANS for end in ("", IN_FLOAT32)]
        return {name: self.logs[name].evidence() for name in names if name in self.logs}

    @contextmanager
    def _opened(self) -> Iterator[str | None]:
        """The context of the probes, and its dtype: float32 if the model is in 16 bit and can; otherwise None."""
        if self._view is None or self.float32_error is not None:
            yield None
            return
        opened = self._view.opened()
        try:
            opened.__enter__()
        except Exception as error:  # noqa: BLE001  the probes then run in 16 bit
            self.float32_error = error_text(error)
            yield None
            return
        try:
            yield "float32"
        finally:
            opened.__exit__(None, None, None)

    def _run_as_users_do(self, texts: _Pass, progress: Progress) -> None:
        for name in TASK_USER_RUNS:
            self._run(name, texts, texts.batch, progress)
        with progress.stage("measuring what rounding does", "noise"), captured_warnings():
            key = self._dtype(texts)
            with in_step():
                self.noise[key] = measure_noise(
                    self._model, self._reader, texts.batch, texts.of(ALONE), before=self.noise.get(key), seed=self._seed
                )

    def _probe(self, texts: _Pass, progress: Progress) -> None:
        in_doubt = any(self._is_off(side, texts) for side in _SIDES)
        every = in_doubt or self._thorough
        chosen = texts.batch if every else texts.batch.pair().shortest()
        sets_pad_id = getattr(self._model.config.get_text_config(), "pad_token_id", None) != chosen.pad_token_id
        not_now = {*_PAD_ID_SET.values(), *([] if every else _ONLY_IN_DOUBT)}
        probes = [name for name in (*self._reader.runs, *_FOR_EVERY_TASK) if name not in not_now]
        if sets_pad_id and set(_PAD_ID_SET.values()) <= set(self._reader.runs):
            for name in _PAD_ID_SET.values():  # first, since the other probes set the pad id too if a batch needs it
                self._run(name, texts, chosen, progress)
        for name in probes:
            if name == "ends_in_eos":
                self._run_with_eos(texts, chosen, progress)
            else:
                self._run(name, texts, texts.batch if name in _ON_WHOLE_BATCH else chosen, progress)
        with progress.stage("looking for the columns that are read", "columns"):
            wanted = _WITH_COLUMNS if every else TASK_USER_RUNS
            for name in wanted if self._reader.finds_columns else ():
                if self._key(name, texts) in self.logs:
                    self._note_columns(name, EXECUTIONS[name].calls(chosen), texts)
        for side in _SIDES:
            self._locate(side, texts, progress)

    def _run(self, name: TaskRunName, texts: _Pass, chosen: Batch, progress: Progress) -> None:
        """Executes a run and keeps what it gave; a run that raised before is not executed again."""
        execution = EXECUTIONS[name]
        way = self._way(name, texts)
        log = self._log(name, texts)
        with progress.stage(f"running {log.plan.description}", name):
            rows, found = self._readings(log, execution.calls(chosen), way)
        if log.plan.by_users or name in _PAD_ID_SET.values():
            texts.readings[name] = {index: reading for (index, _), reading in zip(rows, found, strict=True)}
        self._keep(log, rows, found, references=texts.of(self._reference(name, texts)))

    def _readings(self, log: TaskLog, calls: list[Rows], way: Way) -> tuple[Rows, list[Reading]]:
        """The rows of all calls with their readings; none if a call raises now, or one has raised before."""
        rows, found = Rows(), list[Reading]()
        for each in calls:
            if log.error is None:
                read_now = guarded(log, partial(read, self._reader, self._model, each, way)) or []
                rows, found = rows + each[: len(read_now)], found + read_now
        return rows, found

    def _keep(self, log: TaskLog, rows: Rows, found: list[Reading], *, references: dict[int, Reading]) -> None:
        """Keeps the rows of a run, each compared with its reference if there is one."""
        concluded = self._reader.conclude(
            self._model, {index: reading for (index, _), reading in zip(rows, found, strict=True)}
        )
        for (index, padded), reading in zip(rows, found, strict=True):
            reference = references.get(index)
            log.keep(
                index,
                padded,
                difference=None if reference is None else self._reader.distance(reference, reading),
                numbers=self._reader.shown(self._model, reading, reference),
                outcome=concluded.get(index),
            )

    def _run_with_eos(self, texts: _Pass, chosen: Batch, progress: Progress) -> None:
        """The columns that are read of texts that end in eos."""
        if self._eos_id is None:
            return
        log = self._log("ends_in_eos", texts)
        calls = with_eos(chosen, self._eos_id)
        with progress.stage(f"running {log.plan.description}", "ends_in_eos"):
            rows, found = self._readings(log, calls, AS_USERS)
            self._keep(log, rows, found, references={})
            self._note_columns("ends_in_eos", calls, texts)

    def _note_columns(self, name: TaskRunName, calls: list[Rows], texts: _Pass) -> None:
        log = self.logs[self._key(name, texts)]
        if log.error is not None:
            return
        for rows in calls:
            way = self._way(name, texts)
            try:
                with captured_warnings(), in_step():
                    columns = columns_read(
                        self._model,
                        partial(self._reader.run, self._model, rows, way),
                        len(rows),
                        len(rows[0][1].input_ids),
                    )
            except Exception:  # noqa: BLE001  the verdict does not need the columns
                return
            for (index, padded), found in zip(rows, columns, strict=True):
                log.note_columns(index, padded, found, self._tokenizer)

    def _locate(self, side: PaddingSide, texts: _Pass, progress: Progress) -> None:
        """The first module that padding on this side changes, for the text that is furthest off."""
        key = self._key(side, texts)
        wrong = self.logs[key].off(self._allowed(texts))
        if not wrong or key in self.places:
            return
        with progress.stage("looking for the module", "place"):
            place = locate(self._reader, self._model, texts.batch, side, wrong[0])
        if place is not None:
            self.places[key] = place

    def _is_off(self, name: TaskRunName, texts: _Pass) -> bool:
        """True if a run raised, or differs from the texts alone by more than rounding."""
        log = self.logs[self._key(name, texts)]
        return log.error is not None or bool(log.off(self._allowed(texts)))

    def _allowed(self, texts: _Pass) -> Callable[[float], float]:
        return task_tolerance(self.noise, self._own_dtype, texts.dtype, num_layers(self._model.config)).allowed

    def _dtype(self, texts: _Pass) -> str:
        return texts.dtype or self._own_dtype

    def _way(self, name: TaskRunName, texts: _Pass) -> Way:
        if name not in EXECUTIONS:
            return AS_USERS
        way = EXECUTIONS[name].way
        sets_pad_id = name in _PAD_ID_SET.values() or (name not in TASK_USER_RUNS and self._needs_pad_id(texts))
        return replace(way, pad_id=texts.batch.pad_token_id) if sets_pad_id else way

    def _needs_pad_id(self, texts: _Pass) -> bool:
        """True if a padded batch raises, and does not if the config names the pad id."""
        return any(
            self.logs[self._key(side, texts)].error is not None
            and with_id in self.logs
            and self.logs[with_id].error is None
            for side, with_id in _PAD_ID_SET.items()
        )

    def _reference(self, name: TaskRunName, texts: _Pass) -> TaskRunName | None:
        """The run that a run is compared with; if it raises without a pad id in the config, the one that sets it."""
        reference = TASK_PLANS[name].reference
        needs_id = reference in _PAD_ID_SET and self.logs[self._key(reference, texts)].error is not None
        return _PAD_ID_SET[reference] if needs_id and reference is not None else reference

    def _key(self, name: TaskRunName, texts: _Pass) -> str:
        return name + IN_FLOAT32 if texts.dtype is not None and TASK_PLANS[name].by_users else name

    def _log(self, name: TaskRunName, texts: _Pass) -> TaskLog:
        key, reference = self._key(name, texts), self._reference(name, texts)
        compared_with = None if reference is None else self._key(reference, texts)
        return self.logs.setdefault(key, TaskLog(TASK_PLANS[name], compared_with, texts.dtype))

    def _run_shortest(self, model: PreTrainedModel, **_inputs: torch.Tensor) -> torch.Tensor:
        """What `Float32View` probes: the shortest text of the first batch, since some heads do not take any ids."""
        return self._reader.run(model, self._shortest, AS_USERS)
