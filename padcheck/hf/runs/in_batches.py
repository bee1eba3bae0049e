"""Runs all prompts, batch after batch, with a batch size that fits into memory."""

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.evidence import NoiseProbe, PadCountSweep, Place, PrecisionStep
from padcheck.core.progress import Progress
from padcheck.core.run_plans import HALF_ONLY, RUN_PLANS
from padcheck.core.run_results import RowDifference, RunResult
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.library.devices import empty_cache
from padcheck.hf.runs.recorder import OutOfMemoryError
from padcheck.hf.runs.run_log import RunLog
from padcheck.hf.runs.runner import Runner
from padcheck.hf.tokenizer.pad_tokens import PadToken

_LARGEST_BATCH = 64
"""The largest batch that is tried if padcheck chooses the size; larger ones are no faster."""


Encoded = tuple[tuple[int, ...], ...]
"""The token ids of prompts, without padding."""


@dataclass(frozen=True)
class Measured:
    """What the runs gave, under the names of `Evidence`."""

    runs: dict[str, RunResult]
    differences: dict[str, tuple[RowDifference, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    noise: dict[str, NoiseProbe] = field(default_factory=dict)
    precision: tuple[PrecisionStep, ...] = ()
    screen: PadCountSweep | None = None
    sweep: PadCountSweep | None = None
    places: dict[str, Place] = field(default_factory=dict)
    batch_size: int | None = None
    batch_sizes_too_large: tuple[int, ...] = ()


def run_in_batches(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    pad_token: PadToken,
    *,
    settings: MeasureSettings,
    progress: Progress,
    crossing: tuple[Encoded, ...] = (),
) -> Measured:
    """Executes the runs over batches of `settings.batch_size` prompts, and compares each batch before the next.

    The batches of `crossing` follow; their prompts are numbered after those of `encoded`.

    Only the logits of one batch are in memory at a time. If memory runs out and padcheck chooses the batch size, all
    prompts run again in batches of half the size. A run that raises keeps its error and is not executed again. The
    model is left as it was found.

    Raises:
        NotMeasuredError: Memory ran out.
    """
    *larger, last = _batch_sizes(settings, len(encoded))
    run_in = partial(
        _run_in_batches, model, tokenizer, encoded, pad_token, settings=settings, progress=progress, crossing=crossing
    )
    for tried, size in enumerate(larger):
        with suppress(OutOfMemoryError):
            return replace(run_in(size), batch_sizes_too_large=tuple(larger[:tried]))
        gc.collect()
        empty_cache(model)
    return replace(run_in(last), batch_sizes_too_large=tuple(larger))


def not_run(error: str) -> Measured:
    """The result if no run can be executed."""
    plans = {
        name: plan
        for name, plan in RUN_PLANS.items()
        if not (name in HALF_ONLY or plan.expensive or plan.for_training or plan.mode)
    }
    return Measured(runs={name: RunLog(plan, error=error).evidence() for name, plan in plans.items()})


def _run_in_batches(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    pad_token: PadToken,
    size: int,
    *,
    settings: MeasureSettings,
    progress: Progress,
    crossing: tuple[Encoded, ...],
) -> Measured:
    runner = Runner(model, tokenizer, settings)
    batches = list(_batches(model, [*_in_groups(encoded, size), *crossing], pad_token, settings.seed))
    with (
        evaluating(model),
        neutral_generation_config(model, pad_token.token_id),
        progress.steps("batches", len(batches)) as done,
    ):
        for batch in batches:
            runner.run(batch, progress)
            done("")
    return Measured(
        runs=runner.recorder.results(),
        differences=runner.recorder.differences(),
        left_out=runner.left_out(),
        noise=runner.noise.evidence(),
        precision=tuple(runner.precision),
        screen=runner.screen,
        sweep=runner.sweep,
        places=runner.places,
        batch_size=size,
    )


def _batch_sizes(settings: MeasureSettings, num_prompts: int) -> list[int]:
    """The batch sizes to try, each half of the one before; only one if the user gave it."""
    if settings.batch_size != "auto":
        return [settings.batch_size]
    sizes = [max(2, min(_LARGEST_BATCH, num_prompts))]
    while sizes[-1] > 3:  # noqa: PLR2004  half of it is still a batch
        sizes.append(sizes[-1] // 2)
    return sizes


def _in_groups(encoded: Encoded, size: int) -> Iterator[Encoded]:
    """Groups of nearly equal size, because a last batch of one prompt would have no padding."""
    number = math.ceil(len(encoded) / size)
    bounds = (len(encoded) * place // number for place in range(number + 1))
    for start, stop in pairwise(bounds):
        yield encoded[start:stop]


def _batches(model: PreTrainedModel, groups: list[Encoded], pad_token: PadToken, seed: int) -> Iterator[Batch]:
    embedding_rows = model.get_input_embeddings().weight.shape[0]
    start = 0
    for group in groups:
        prompts = dict(enumerate(group, start))
        width = max(map(len, group))
        yield Batch(prompts, width, pad_token.token_id, embedding_rows, seed, size=len(group))
        start += len(group)


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Turns dropout off within the context and restores the training flags afterwards."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, flag in training.items():
            module.training = flag
