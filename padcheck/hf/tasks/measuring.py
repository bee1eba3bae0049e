"""Measures one task of a model: runs all texts, batch after batch, with a batch size that fits into memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.evidence import Place
from padcheck.core.progress import Progress
from padcheck.core.settings import MeasureSettings
from padcheck.core.task_evidence import TaskEvidence
from padcheck.core.use_case import Task
from padcheck.hf.runs.in_batches import Encoded, batches_of, evaluating, in_groups, until_it_fits
from padcheck.hf.tasks.classify import Classifying
from padcheck.hf.tasks.embed import Embedding
from padcheck.hf.tasks.reading import Reader
from padcheck.hf.tasks.runner import TaskRunner
from padcheck.hf.tokenizer.pad_tokens import PadToken


@dataclass(frozen=True)
class TaskMeasured:
    """What a task gave, under the names of `Evidence`."""

    task: TaskEvidence
    places: dict[str, Place] = field(default_factory=dict)
    batch_size: int | None = None
    batch_sizes_too_large: tuple[int, ...] = ()


def reader_of(task: Task | None, pooling: tuple[str, ...]) -> Reader:
    """The reader of a task with a head.

    Args:
        task: The task.
        pooling: The pooling modes of a sentence-transformers model; empty for any other.
    """
    return Embedding(pooling) if task == "embed" else Classifying()


def measure_task(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    pad_token: PadToken,
    *,
    reader: Reader,
    settings: MeasureSettings,
    progress: Progress,
    first_parts: Mapping[int, int] | None = None,
) -> TaskMeasured:
    """Executes the runs of the task in `settings`. The model is left as it was found.

    Args:
        model: The model with the head of the task.
        tokenizer: Its tokenizer.
        encoded: The token ids of each text.
        pad_token: The token to pad with.
        reader: The task.
        settings: How to run it.
        progress: Receives the stages.
        first_parts: For texts of two parts, how many tokens the first one has, by text.

    Raises:
        NotMeasuredError: The model does not give what the task reads, or memory ran out.
    """
    model = reader.part(model)

    def run_in(size: int) -> tuple[TaskRunner, int]:
        runner = TaskRunner(model, tokenizer, reader, settings=settings)
        batches = list(batches_of(model, in_groups(encoded, size), pad_token, settings.seed))
        with evaluating(model), progress.steps("batches", len(batches)) as done:
            for batch in batches:
                runner.run(replace(batch, first_parts=first_parts or {}), progress)
                done("")
        return runner, size

    (runner, size), too_large = until_it_fits(model, settings, len(encoded), run_in)
    return TaskMeasured(
        task=TaskEvidence(
            name=settings.task or "",
            numbers=reader.numbers,
            runs=runner.runs(),
            noise=runner.noise,
            float32_error=runner.float32_error,
        ),
        places={f"{settings.task}_{name}": place for name, place in runner.places.items()},
        batch_size=size,
        batch_sizes_too_large=too_large,
    )
