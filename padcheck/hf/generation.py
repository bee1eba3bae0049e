"""One call of generate: tokens, logits of every step and the positions that forward() saw."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedModel

from padcheck.hf.capture import position_ids_by_column, received_position_ids
from padcheck.hf.facts import generation_settings
from padcheck.hf.sampling import logits_processors
from padcheck.settings import MeasureSettings
from padcheck.textbook import PaddedIds

_KEPT = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("use_cache", "cache_implementation", "cache_config"),
}
"""Settings of a generation_config that this measurement leaves as they are."""


@dataclass(frozen=True)
class RowTrace:
    """What generate() did with one row.

    Attributes:
        padded: The prompt as it went in.
        generated_ids: The new tokens up to and including the first eos; behind it generate() only fills up with pads.
        position_ids: As forward() received them, one entry a column of prompt and new tokens.
        logits: Of each new token, before any processing, (len(generated_ids), vocab_size), float32.
    """

    padded: PaddedIds
    generated_ids: tuple[int, ...]
    position_ids: tuple[int | None, ...]
    logits: torch.Tensor


def overridden_settings(generation_config: GenerationConfig) -> dict[str, object]:
    """What it sets that would make arms differ for reasons other than padding: switched off for the measurement."""
    return {key: value for key, value in generation_settings(generation_config).items() if key not in _KEPT}


@contextmanager
def neutral_generation_config(
    model: PreTrainedModel, settings: MeasureSettings, pad_token_id: int
) -> Iterator[GenerationConfig]:
    """Lends the model a generation_config without penalties, limits and sampling; its own comes back afterwards.

    Passing one to generate() would not do: since transformers 4.50 what it leaves unset is filled in from the model's
    own.
    """
    before = model.generation_config
    kept = {key: value for key in _KEPT if (value := getattr(before, key, None)) is not None}
    neutral = GenerationConfig(
        **kept | {"pad_token_id": pad_token_id},
        max_new_tokens=settings.max_new_tokens,
        do_sample=False,  # draws are made by the shared noise
        output_logits=True,
        return_dict_in_generate=True,
    )
    model.generation_config = neutral
    try:
        yield neutral
    finally:
        model.generation_config = before


def generate(model: PreTrainedModel, rows: dict[int, PaddedIds], settings: MeasureSettings) -> list[RowTrace]:
    """Runs one batch; the model must be in eval mode and hold its neutral generation_config.

    Args:
        model: Not changed.
        rows: Padded prompts of one width, by the index of the prompt, which decides the noise of a sampled draw.
        settings: How many tokens, and how to draw them.
    """
    batch = list(rows.values())
    width = len(batch[0].input_ids)
    input_ids = torch.tensor([row.input_ids for row in batch], device=model.device)  # (batch, width)
    attention_mask = torch.tensor([row.attention_mask for row in batch], device=model.device)  # (batch, width)
    with torch.inference_mode(), received_position_ids(model) as received:
        output = model.generate(
            input_ids,
            attention_mask=attention_mask,
            logits_processor=logits_processors(settings, list(rows), width),
        )
    sequences = output.sequences[:, width:].tolist()
    logits = torch.stack(output.logits, dim=1).float()  # (batch, steps, vocab_size)
    eos = _eos_ids(model.generation_config)
    traces = []
    for row, padded in enumerate(batch):
        generated_ids = _up_to_eos(sequences[row], eos)
        num_columns = width + len(generated_ids)
        position_ids = position_ids_by_column(received, row, width, num_columns)
        traces.append(RowTrace(padded, generated_ids, position_ids, logits[row, : len(generated_ids)]))
    return traces


def _eos_ids(generation_config: GenerationConfig) -> set[int]:
    eos = generation_config.eos_token_id
    return set() if eos is None else set(eos) if isinstance(eos, list) else {eos}


def _up_to_eos(generated_ids: list[int], eos_ids: set[int]) -> tuple[int, ...]:
    end = next((step for step, token_id in enumerate(generated_ids) if token_id in eos_ids), len(generated_ids) - 1)
    return tuple(generated_ids[: end + 1])
