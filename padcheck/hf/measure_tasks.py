"""Measures the tasks of one model: classifying, embedding, scores after an encoder, and what a task adds to prompts."""

from dataclasses import replace
from typing import Any

import msgspec
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError
from padcheck.core.facts import ModelFacts
from padcheck.core.progress import Progress
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import two_sided_widths
from padcheck.hf.inspection import Inspected
from padcheck.hf.runs.in_batches import Encoded
from padcheck.hf.tasks.measuring import TaskMeasured, measure_task, reader_of
from padcheck.hf.tasks.reading import Reader
from padcheck.hf.tasks.score import Scored, Scoring, scored_texts
from padcheck.hf.tasks.score_decoded import DecodedScoring, decoded_texts
from padcheck.hf.tasks.training import measure_training


def run_task(
    model: PreTrainedModel,
    inspected: Inspected,
    embedding_rows: int,
    settings: MeasureSettings,
    progress: Progress,
    *,
    has_random_head: bool,
) -> TaskMeasured:
    """What a model without a language model's head gives for its task: classifying or embedding.

    Raises:
        NotMeasuredError: The pad token has no embedding row.
    """
    reader = reader_of(settings.task, inspected.loaded.pooling)
    found = _measured(model, inspected, embedding_rows, settings, progress, reader=reader, encoded=inspected.encoded)
    head = None if settings.task == "embed" else "random" if has_random_head else inspected.loaded.weights
    task = msgspec.structs.replace(found.task, head=head, pooling=inspected.loaded.pooling)
    return replace(found, task=task)


def run_decoded_scores(
    model: PreTrainedModel, inspected: Inspected, embedding_rows: int, settings: MeasureSettings, progress: Progress
) -> TaskMeasured:
    """The log-likelihoods that an encoder-decoder model gives the choices of each prompt.

    Raises:
        NotMeasuredError: The pad token has no embedding row.
        UsageError: No prompt has a choice, or a choice has no token.
    """
    texts = decoded_texts(inspected.loaded.tokenizer, inspected.texts, inspected.encoded, _choices(settings, inspected))
    reader, encoded = DecodedScoring(tuple(texts)), tuple(text.input_ids for text in texts)
    found = _measured(model, inspected, embedding_rows, settings, progress, reader=reader, encoded=encoded)
    return replace(found, task=msgspec.structs.replace(found.task, choices=tuple(text.choice for text in texts)))


def with_scores(
    measured: dict[str, Any],
    model: PreTrainedModel,
    inspected: Inspected,
    settings: MeasureSettings,
    progress: Progress,
) -> dict[str, Any]:
    """What the prompts gave, and the log-likelihoods of the texts; only the first if pads have no embedding row."""
    texts = scored_texts(
        inspected.loaded.tokenizer,
        inspected.texts,
        inspected.encoded,
        _choices(settings, inspected),
    )
    if not texts or all(run.error is not None for run in measured["runs"].values()):
        return measured
    found = measure_task(
        model,
        inspected.loaded.tokenizer,
        tuple(text.input_ids for text in texts),
        inspected.pad_token,
        reader=Scoring(tuple(texts), two_sided=_has_two_sides(texts, inspected.evidence.model)),
        settings=settings,
        progress=progress,
        first_parts={index: text.first for index, text in enumerate(texts)},
    )
    task = msgspec.structs.replace(found.task, choices=tuple(text.choice for text in texts))
    return measured | {"task": task, "places": measured["places"] | found.places}


def with_training(
    measured: dict[str, Any],
    model: PreTrainedModel,
    inspected: Inspected,
    settings: MeasureSettings,
    progress: Progress,
) -> dict[str, Any]:
    """What the prompts gave, and a training step on them; only the first if pads have no embedding row."""
    if all(run.error is not None for run in measured["runs"].values()):
        return measured
    found = measure_training(
        model,
        inspected.loaded.tokenizer,
        inspected.encoded,
        inspected.pad_token,
        settings=settings,
        progress=progress,
    )
    return measured | {"task": found.task, "places": measured["places"] | found.places}


def no_embedding_row(pad_id: int, embedding_rows: int) -> str:
    """Why nothing ran if the pad token has no embedding row."""
    return f"not run: pad token id {pad_id} has no embedding row (the model has {embedding_rows})"


def _measured(
    model: PreTrainedModel,
    inspected: Inspected,
    embedding_rows: int,
    settings: MeasureSettings,
    progress: Progress,
    *,
    reader: Reader,
    encoded: Encoded,
) -> TaskMeasured:
    pad_id = inspected.pad_token.token_id
    if not 0 <= pad_id < embedding_rows:
        raise NotMeasuredError(
            f"The task was {no_embedding_row(pad_id, embedding_rows)}.",
            meaning="The pad token was added to the tokenizer only, or the tokenizer belongs to another model.",
            change="Give an existing token with --pad-token, or call model.resize_token_embeddings(len(tokenizer)).",
        )
    return measure_task(
        model,
        inspected.loaded.tokenizer,
        encoded,
        inspected.pad_token,
        reader=reader,
        settings=settings,
        progress=progress,
    )


def _choices(settings: MeasureSettings, inspected: Inspected) -> tuple[tuple[str, ...], ...]:
    """The choices of each prompt; the continuations are choices of all of them."""
    return settings.choices or (settings.continuations,) * len(inspected.encoded)


def _has_two_sides(texts: list[Scored], model: ModelFacts) -> bool:
    """True if there are choices, and enough learned positions for them next to their prompts with pads in between."""
    if all(text.choice.text is None for text in texts):
        return False
    width = sum(two_sided_widths([(text.first, len(text.input_ids) - text.first) for text in texts]))
    limit = model.max_position_embeddings
    return model.position_encoding != "learned" or limit is None or width <= limit
