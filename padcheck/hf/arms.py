"""The arms: the same prompts run in several ways, each read against one that differs from it in one thing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.errors import NotMeasuredError
from padcheck.evidence import SINGLE, Arm, PaddingSide, Row, RowDifference
from padcheck.hf.batches import Batch
from padcheck.hf.capture import captured_warnings
from padcheck.hf.differences import compare_rows
from padcheck.hf.encoding import build_row, token_text
from padcheck.hf.generation import RowTrace, forward, generate, neutral_generation_config
from padcheck.hf.load_errors import is_out_of_memory
from padcheck.hf.pad_tokens import PadToken
from padcheck.progress import Progress
from padcheck.settings import MeasureSettings


@dataclass(frozen=True)
class ArmPlan:
    """How an arm runs its batch, and which arm it is read against.

    Attributes:
        description: What is different about it, for the report.
        reference: The arm it is compared with; None for the first reference.
        padding_side: None where nothing is padded.
        run: Runs the prompts of a batch and gives one trace a prompt.
    """

    description: str
    reference: str | None
    padding_side: PaddingSide | None
    run: Callable[[PreTrainedModel, Batch, MeasureSettings], list[RowTrace]]


def _single(model: PreTrainedModel, batch: Batch, settings: MeasureSettings) -> list[RowTrace]:
    return [trace for rows in batch.alone() for trace in generate(model, rows, settings)]


def _left(model: PreTrainedModel, batch: Batch, settings: MeasureSettings) -> list[RowTrace]:
    return generate(model, batch.padded("left"), settings)


def _right(model: PreTrainedModel, batch: Batch, settings: MeasureSettings) -> list[RowTrace]:
    return generate(model, batch.padded("right"), settings)


def _batched(model: PreTrainedModel, batch: Batch, settings: MeasureSettings) -> list[RowTrace]:
    # The last copy: what a batch has too little of (an expert's capacity) its first rows still get.
    return [generate(model, rows, settings, max_new_tokens=1)[-1] for rows in batch.repeated()]


def _scrambled(model: PreTrainedModel, batch: Batch, settings: MeasureSettings) -> list[RowTrace]:
    return generate(model, batch.scrambled(), settings, max_new_tokens=1)


def _left_no_mask(model: PreTrainedModel, batch: Batch, settings: MeasureSettings) -> list[RowTrace]:
    return generate(model, batch.padded("left"), settings, max_new_tokens=1, with_mask=False)


def _forward(model: PreTrainedModel, batch: Batch, _settings: MeasureSettings) -> list[RowTrace]:
    return [trace for rows in batch.alone() for trace in forward(model, rows)]


def _left_forward(model: PreTrainedModel, batch: Batch, _settings: MeasureSettings) -> list[RowTrace]:
    return forward(model, batch.padded("left"))


def _left_forward_positions(model: PreTrainedModel, batch: Batch, _settings: MeasureSettings) -> list[RowTrace]:
    return forward(model, batch.padded("left"), with_position_ids=True)


def _left_forward_no_mask(model: PreTrainedModel, batch: Batch, _settings: MeasureSettings) -> list[RowTrace]:
    return forward(model, batch.padded("left"), with_mask=False)


def _right_forward(model: PreTrainedModel, batch: Batch, _settings: MeasureSettings) -> list[RowTrace]:
    return forward(model, batch.padded("right"))


PLANS = {
    SINGLE: ArmPlan("each prompt alone", None, None, _single),
    "left": ArmPlan("the left-padded batch", SINGLE, "left", _left),
    "right": ArmPlan("the right-padded batch", SINGLE, "right", _right),
    "batched": ArmPlan("copies of one prompt, nothing padded", SINGLE, None, _batched),
    "scrambled": ArmPlan("left, other ids under the mask", "left", "left", _scrambled),
    "left_no_mask": ArmPlan("left, no attention_mask", "left", "left", _left_no_mask),
    "forward": ArmPlan("forward(), each prompt alone", SINGLE, None, _forward),
    "left_forward": ArmPlan("left, forward(), no position_ids", "forward", "left", _left_forward),
    "left_forward_positions": ArmPlan(
        "left, forward(), position_ids from mask", "forward", "left", _left_forward_positions
    ),
    "left_forward_no_mask": ArmPlan(
        "left, forward(), no attention_mask", "left_forward", "left", _left_forward_no_mask
    ),
    "right_forward": ArmPlan("right, forward(), last real token", "forward", "right", _right_forward),
}
"""The arms in the order in which they run: the first three are generated whole, the rest are probes of one step."""


@dataclass
class _ArmLog:
    """An arm while it runs, batch after batch."""

    plan: ArmPlan
    rows: list[Row] = field(default_factory=list)
    differences: list[RowDifference] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def evidence(self) -> Arm:
        return Arm(
            description=self.plan.description,
            reference=self.plan.reference,
            padding_side=self.plan.padding_side,
            warnings=tuple(self.warnings),
            rows=tuple(self.rows),
            error=self.error,
        )


@dataclass(frozen=True)
class Measured:
    """What the arms gave."""

    arms: dict[str, Arm]
    differences: dict[str, tuple[RowDifference, ...]]


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

    So the logits in memory are those of one batch, however many prompts there are. An arm that raises keeps its error
    and is not run again. The model is left as it was found.

    Raises:
        NotMeasuredError: Memory ran out.
    """
    logs = {name: _ArmLog(plan) for name, plan in PLANS.items()}
    batches = list(_batches(model, encoded, pad_token, settings))
    with evaluating(model), neutral_generation_config(model, pad_token.token_id):
        for number, batch in enumerate(batches, start=1):
            of = f" (batch {number} of {len(batches)})" if len(batches) > 1 else ""
            traces: dict[str, list[RowTrace]] = {}
            for name, log in logs.items():
                with progress.stage(f"running {log.plan.description}{of}"):
                    traces[name] = _run(log, partial(log.plan.run, model, batch, settings))
                _record(log, tokenizer, batch, traces[name], traces.get(log.plan.reference or "", []))
    return Measured(
        arms={name: log.evidence() for name, log in logs.items()},
        differences={name: tuple(log.differences) for name, log in logs.items() if log.plan.reference is not None},
    )


def not_run(error: str) -> Measured:
    """What the arms give where none may be run."""
    return Measured(
        arms={name: replace(_ArmLog(plan), error=error).evidence() for name, plan in PLANS.items()}, differences={}
    )


def _batches(
    model: PreTrainedModel, encoded: tuple[tuple[int, ...], ...], pad_token: PadToken, settings: MeasureSettings
) -> Iterator[Batch]:
    embedding_rows = model.get_input_embeddings().weight.shape[0]
    for start in range(0, len(encoded), settings.batch_size):
        chosen = range(start, min(start + settings.batch_size, len(encoded)))
        prompts = {index: encoded[index] for index in chosen}
        yield Batch(prompts, pad_token.token_id, embedding_rows, settings.seed)


def _run(log: _ArmLog, run: Callable[[], list[RowTrace]]) -> list[RowTrace]:
    """The traces of one batch; none where the arm raises now or has raised before."""
    if log.error is not None:
        return []
    with captured_warnings() as messages:
        try:
            traces = run()
        except Exception as error:
            if is_out_of_memory(error):
                raise NotMeasuredError(
                    f"Memory ran out: {error}",
                    meaning="The model, its cache or the logits of a batch do not fit.",
                    change="Lower --batch-size or --max-new-tokens, or use --dtype bfloat16, --device-map auto or "
                    "--tiny.",
                ) from error
            log.error = f"{type(error).__name__}: {error}"
            traces = []
    log.warnings += [message for message in messages if message not in log.warnings]
    return traces


def _record(
    log: _ArmLog,
    tokenizer: PreTrainedTokenizerBase,
    batch: Batch,
    traces: list[RowTrace],
    references: list[RowTrace],
) -> None:
    text_of = partial(token_text, tokenizer)
    for index, trace in zip(batch.prompts, traces, strict=False):
        log.rows.append(
            build_row(
                tokenizer,
                index,
                trace.padded,
                generated_ids=trace.generated_ids,
                position_ids=trace.position_ids,
                non_finite_logits=int((trace.logits.isnan() | trace.logits.isposinf()).sum()),
            )
        )
    if log.plan.reference is not None:
        for index, trace, reference in zip(batch.prompts, traces, references, strict=False):
            log.differences.append(compare_rows(reference, trace, prompt_index=index, token_text=text_of))


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
