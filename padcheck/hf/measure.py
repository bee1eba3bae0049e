"""Measures one model: reads everything that needs no weights, then loads the weights and runs the prompts."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError
from padcheck.core.evidence import Evidence
from padcheck.core.facts import LengthLimit, ModelFacts
from padcheck.core.progress import Progress
from padcheck.core.settings import MeasureSettings
from padcheck.core.use_case import HEADS
from padcheck.hf.calls.capture import captured_warnings, library_bars
from padcheck.hf.calls.generation import overridden_settings
from padcheck.hf.inspection import Inspected, inspect
from padcheck.hf.library.auto_classes import scores_after_an_encoder
from padcheck.hf.library.config_facts import num_layers
from padcheck.hf.library.devices import device_names
from padcheck.hf.library.length_limits import length_limits
from padcheck.hf.load.weights import LoadedModel, load_model
from padcheck.hf.load.without_weights import LoadWithoutWeights, ModelWithoutWeights, load_without_weights
from padcheck.hf.measure_tasks import no_embedding_row, run_decoded_scores, run_task, with_scores, with_training
from padcheck.hf.parallel.ranks import in_step, number_of_ranks
from padcheck.hf.runs.attention import implementations
from padcheck.hf.runs.crossing import Crossing, not_crossing, plan_crossing
from padcheck.hf.runs.in_batches import Measured, not_run, run_in_batches
from padcheck.hf.runs.recorder import OutOfMemoryError
from padcheck.hf.tokenizer.encoding import decode
from padcheck.hf.tokenizer.labels import labels_keep_eos


def measure_model(
    settings: MeasureSettings,
    progress: Progress,
    load: LoadWithoutWeights = load_without_weights,
    load_weights: Callable[[ModelWithoutWeights, MeasureSettings], LoadedModel] = load_model,
) -> Evidence:
    """Measures one model, without judging it.

    Args:
        settings: What to measure, and how.
        progress: Receives the stages.
        load: Loads everything except the weights.
        load_weights: Loads the weights; it receives the result of `load`.

    Raises:
        PadcheckError: Something cannot be loaded, does not fit into memory, or does not fit the settings.
    """
    inspected = inspect(settings, progress, load)
    _require_enough_positions(inspected)
    what = "building a toy-size model" if settings.tiny else "loading the weights"
    with (
        progress.stage(f"{what} of {settings.model}", "weights", downloads=True),
        library_bars(shown=progress.is_watched),
        captured_warnings() as messages,
        in_step(),
    ):
        model, has_random_head = load_weights(inspected.loaded, settings)
    embedding_rows = _embedding_rows(model)
    _require_known_ids(inspected, embedding_rows)
    evidence, measured = _run(model, inspected, embedding_rows, settings, progress, has_random_head=has_random_head)
    measured_evidence = msgspec.structs.replace(
        evidence,
        model=_add_facts_of_weights(evidence.model, model, embedding_rows, inspected.loaded),
        overridden=overridden_settings(inspected.loaded.generation_config),
        sampled=settings.do_sample,
        labels_keep_eos=labels_keep_eos(inspected.loaded.tokenizer, inspected.encoded[0], inspected.pad_token),
        load_warnings=(*evidence.load_warnings, *(m for m in messages if m not in evidence.load_warnings)),
        **measured,
    )
    longest = measured_evidence.longest_given_row
    limits = (_crossed(limit, longest) for limit in evidence.length_limits)
    return msgspec.structs.replace(measured_evidence, length_limits=tuple(limits))


def _run(
    model: PreTrainedModel,
    inspected: Inspected,
    embedding_rows: int,
    settings: MeasureSettings,
    progress: Progress,
    *,
    has_random_head: bool,
) -> tuple[Evidence, dict[str, Any]]:
    """The evidence with the prompts that were added to cross limits, and what the runs gave, by field of `Evidence`."""
    if settings.task in HEADS:
        found = run_task(model, inspected, embedding_rows, settings, progress, has_random_head=has_random_head)
        return _add_crossing(inspected, not_crossing(length_limits(model.config))), vars(found)
    if scores_after_an_encoder(model.config, settings.task):
        found = run_decoded_scores(model, inspected, embedding_rows, settings, progress)
        return _add_crossing(inspected, not_crossing(length_limits(model.config))), vars(found)
    ran_prompts, crossing = _run_prompts(model, inspected, embedding_rows, settings, progress)
    measured = vars(ran_prompts)
    if settings.task == "score":
        measured = with_scores(measured, model, inspected, settings, progress)
    if settings.task == "train":
        measured = with_training(measured, model, inspected, settings, progress)
    return _add_crossing(inspected, crossing), measured


def _crossed(limit: LengthLimit, longest_row: int) -> LengthLimit:
    return msgspec.structs.replace(limit, crossed=True) if longest_row > limit.tokens else limit


def _add_crossing(inspected: Inspected, crossing: Crossing) -> Evidence:
    """The evidence with the prompts that were added to cross limits."""
    evidence, tokenizer = inspected.evidence, inspected.loaded.tokenizer
    added = [input_ids for batch in crossing.batches for input_ids in batch]
    given = len(evidence.prompts)
    return msgspec.structs.replace(
        evidence,
        prompts=(*evidence.prompts, *(decode(tokenizer, input_ids) for input_ids in added)),
        num_prompt_tokens=(*evidence.num_prompt_tokens, *map(len, added)),
        crossing_prompts=tuple(range(given, given + len(added))),
        length_limits=crossing.limits,
    )


def _embedding_rows(model: PreTrainedModel) -> int:
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (NotImplementedError, AttributeError) as error:  # Perceiver has a bare parameter
        raise NotMeasuredError(
            f"{type(model).__name__} does not say which of its parts embeds text.",
            meaning="It combines several models, and takes more than text.",
            change="Give only the language model, if it has its own folder.",
        ) from error


def _require_enough_positions(inspected: Inspected) -> None:
    """Checks that the learned positions are enough: beyond their table, the run would end in an IndexError."""
    model, longest = inspected.evidence.model, max(inspected.evidence.num_prompt_tokens)
    limit, needed = model.max_position_embeddings, longest + inspected.evidence.max_new_tokens
    task = inspected.evidence.settings.get("task")
    if task in HEADS or (task == "score" and inspected.loaded.config.is_encoder_decoder):
        needed = longest
    if model.position_encoding == "learned" and limit is not None and needed > limit:
        raise NotMeasuredError(
            f"The longest prompt has {longest} tokens, {needed} with {inspected.evidence.max_new_tokens} new ones, but "
            f"{model.id} has only {limit} positions.",
            meaning="Its positions are learned, and there are no more of them, with or without padding.",
            change=f"Shorten the prompt, or give --max-new-tokens {limit - longest}."
            if longest < limit
            else "Shorten the prompt.",
        )


def _run_prompts(
    model: PreTrainedModel, inspected: Inspected, embedding_rows: int, settings: MeasureSettings, progress: Progress
) -> tuple[Measured, Crossing]:
    """What the runs gave, and the prompts that were added to cross limits, as far as they fit into memory."""
    limits = length_limits(model.config)
    pad_id = inspected.pad_token.token_id
    if not 0 <= pad_id < embedding_rows:
        # On CUDA, looking it up would make the device unusable for the whole process.
        return not_run(no_embedding_row(pad_id, embedding_rows)), not_crossing(limits)
    crossing = not_crossing(limits)
    if settings.cross_limits:
        crossing = plan_crossing(model, inspected.encoded, limits, settings.max_new_tokens)
    run = partial(
        run_in_batches,
        model,
        inspected.loaded.tokenizer,
        inspected.encoded,
        inspected.pad_token,
        settings=settings,
        progress=progress,
    )
    while crossing.batches:
        with suppress(OutOfMemoryError):
            return run(crossing=crossing.batches), crossing
        crossing = crossing.without_longest("memory ran out")
    return run(), crossing


def _require_known_ids(inspected: Inspected, embedding_rows: int) -> None:
    largest = max(max(input_ids) for input_ids in inspected.encoded)
    if largest >= embedding_rows:
        raise NotMeasuredError(
            f"A prompt contains token id {largest}, but the model has {embedding_rows} embedding rows.",
            meaning="The tokenizer belongs to another model, or tokens were added only to the tokenizer.",
            change="Use the tokenizer of this model, or call model.resize_token_embeddings(len(tokenizer)).",
        )


def _add_facts_of_weights(
    facts: ModelFacts, model: PreTrainedModel, embedding_rows: int, loaded: ModelWithoutWeights
) -> ModelFacts:
    return msgspec.structs.replace(
        facts,
        architecture=type(model).__name__,
        embedding_rows=embedding_rows,
        num_layers=num_layers(model.config),
        num_parameters=model.num_parameters(),
        dtype=str(model.dtype).removeprefix("torch."),
        device=device_names(model),
        ranks=number_of_ranks(model),
        attn_implementation=getattr(model.config, "_attn_implementation", None),
        attn_implementations=implementations(model),
        weights=loaded.weights,
    )
