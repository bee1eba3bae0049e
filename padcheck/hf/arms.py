"""The arms of a comparison: the same prompts alone, left-padded and right-padded, each read against the first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.errors import NotMeasuredError
from padcheck.evidence import SINGLE, Arm, PaddingSide, Row, RowDifference
from padcheck.hf.capture import captured_warnings
from padcheck.hf.differences import compare_rows
from padcheck.hf.encoding import build_row, token_text
from padcheck.hf.generation import RowTrace, generate, neutral_generation_config
from padcheck.hf.pad_tokens import PadToken
from padcheck.progress import Progress
from padcheck.settings import MeasureSettings
from padcheck.textbook import PaddedIds, pad_ids

ARM_SIDES: dict[str, PaddingSide | None] = {SINGLE: None, "left": "left", "right": "right"}
"""The arms, the reference first, and the side that each pads on."""

_DESCRIPTIONS = {SINGLE: "each prompt alone", "left": "the left-padded batch", "right": "the right-padded batch"}


@dataclass
class _ArmLog:
    """An arm while it runs, batch after batch."""

    padding_side: PaddingSide | None
    rows: list[Row] = field(default_factory=list)
    differences: list[RowDifference] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def evidence(self) -> Arm:
        return Arm(
            padding_side=self.padding_side, warnings=tuple(self.warnings), rows=tuple(self.rows), error=self.error
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
    logs = {name: _ArmLog(side) for name, side in ARM_SIDES.items()}
    indices = range(len(encoded))
    batches = [indices[start : start + settings.batch_size] for start in indices[:: settings.batch_size]]
    with evaluating(model), neutral_generation_config(model, settings, pad_token.token_id):
        for number, batch in enumerate(batches, start=1):
            of = f" (batch {number} of {len(batches)})" if len(batches) > 1 else ""
            references: list[RowTrace] = []
            for name, log in logs.items():
                with progress.stage(f"running {_DESCRIPTIONS[name]}{of}"):
                    inputs = _inputs(encoded, batch, pad_token.token_id, log.padding_side)
                    traces = _run(log, partial(_generate_all, model, inputs, settings))
                if name == SINGLE:
                    references = traces
                _record(log, tokenizer, batch, traces, references)
    return Measured(
        arms={name: log.evidence() for name, log in logs.items()},
        differences={name: tuple(log.differences) for name, log in logs.items() if name != SINGLE},
    )


def _inputs(
    encoded: tuple[tuple[int, ...], ...], batch: range, pad_token_id: int, side: PaddingSide | None
) -> list[dict[int, PaddedIds]]:
    """The calls of generate() that an arm makes for these prompts: one batch, or each prompt alone; rows by prompt."""
    if side is None:
        return [{index: PaddedIds(encoded[index], (1,) * len(encoded[index]))} for index in batch]
    width = max(len(encoded[index]) for index in batch)
    return [{index: pad_ids(encoded[index], width, pad_token_id, side) for index in batch}]


def _generate_all(
    model: PreTrainedModel, inputs: list[dict[int, PaddedIds]], settings: MeasureSettings
) -> list[RowTrace]:
    return [trace for rows in inputs for trace in generate(model, rows, settings)]


def _run(log: _ArmLog, run: Callable[[], list[RowTrace]]) -> list[RowTrace]:
    """The traces of one batch; none where the arm raises now or has raised before."""
    if log.error is not None:
        return []
    with captured_warnings() as messages:
        try:
            traces = run()
        except Exception as error:
            if _is_out_of_memory(error):
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
    batch: range,
    traces: list[RowTrace],
    references: list[RowTrace],
) -> None:
    text_of = partial(token_text, tokenizer)
    for index, trace in zip(batch, traces, strict=False):
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
    if log.padding_side is not None:
        for index, trace, reference in zip(batch, traces, references, strict=False):
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


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
