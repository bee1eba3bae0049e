"""Calls generate() on one batch, and records the tokens, logits and positions of each row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.capture import position_ids_by_column, received_position_ids
from padcheck.hf.calls.logits import LogitsLog
from padcheck.hf.calls.positions_used import positions_by_column, used_positions
from padcheck.hf.calls.sampling import logits_processors
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.library.config_facts import generation_settings
from padcheck.hf.library.devices import input_device

_KEPT = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("use_cache", "cache_implementation", "cache_config"),
}
"""The settings of a model's generation_config that stay as they are."""


def overridden_settings(generation_config: GenerationConfig) -> dict[str, object]:
    """The settings that `neutral_generation_config` drops, since they could make runs differ regardless of padding."""
    settings = generation_settings(generation_config)
    # `output_...` settings add return values and do not change the tokens.
    return {key: value for key, value in settings.items() if key not in _KEPT and not key.startswith("output_")}


@contextmanager
def neutral_generation_config(model: PreTrainedModel, pad_token_id: int | None) -> Iterator[GenerationConfig]:
    """Temporarily replaces the model's generation_config with one without penalties, limits and sampling.

    Passing a config to generate() is not enough: since transformers 4.50, generate() fills unset values from the
    model's own config.
    """
    before = model.generation_config
    kept = {key: value for key in _KEPT if (value := getattr(before, key, None)) is not None}
    neutral = GenerationConfig(do_sample=False)  # `SharedGumbelNoise` makes the draws
    for key, value in (kept | {"pad_token_id": pad_token_id}).items():
        setattr(neutral, key, value)  # not as an argument: the constructor of transformers 4.48 fails on a static cache
    model.generation_config = neutral
    try:
        yield neutral
    finally:
        model.generation_config = before


def generate(
    model: PreTrainedModel,
    rows: Rows,
    settings: MeasureSettings,
    *,
    max_new_tokens: int | None = None,
    with_mask: bool = True,
    with_cache: bool = True,
    forced: Mapping[int, tuple[int, ...]] | None = None,
) -> list[RowTrace]:
    """Generates for one batch. The model must be in eval mode, under `neutral_generation_config`.

    Args:
        model: Not changed.
        rows: Padded prompts of one width, each with its prompt's index, which selects the noise of sampled draws.
        settings: How many tokens to generate, and how to choose them.
        max_new_tokens: Replaces the number of tokens in the settings.
        with_mask: Whether to pass attention_mask.
        with_cache: False computes all columns again at every step; True leaves caching to the generation_config.
        forced: The tokens that each row must choose, up to its eos, by the index of its prompt.

    Returns:
        One trace per row.

    Raises:
        RuntimeError: generate() did not pass the logits of every step to its logits processors.
    """
    input_ids, attention_mask = tensors(model, rows)
    width = input_ids.shape[1]
    log = LogitsLog(len(rows))
    processors = logits_processors(settings, [index for index, _ in rows], width)
    processors.insert(0, _RecordLogits(log))
    if forced is not None:
        processors.append(_ForceTokens([forced[index] for index, _ in rows], width))
    with torch.inference_mode(), received_position_ids(model) as received, used_positions(model) as used:
        output = model.generate(
            input_ids,
            max_new_tokens=max_new_tokens or settings.max_new_tokens,
            logits_processor=processors,
            **({"attention_mask": attention_mask} if with_mask else {}),
            **({} if with_cache else {"use_cache": False}),
        )
    sequences = output[:, width:].tolist()
    if len(log) != len(sequences[0]):
        num_steps = len(sequences[0])
        raise RuntimeError(f"generate() passed the logits of {len(log)} of its {num_steps} steps to its processors")
    eos = _eos_ids(model.generation_config)
    traces = []
    for row, (_, padded) in enumerate(rows):
        generated_ids = _up_to_eos(sequences[row], eos)
        num_columns = width + len(generated_ids)
        position_ids = position_ids_by_column(received, row, width, num_columns)
        looked_up = positions_by_column(model, used, row, width, num_columns)
        traces.append(RowTrace(padded, generated_ids, position_ids, log.row(row, len(generated_ids)), *looked_up))
    return traces


class _RecordLogits(LogitsProcessor):
    """Records the logits of each step and returns them unchanged.

    With output_logits=True, generate() would hold the logits of all steps in memory until it returns.
    """

    def __init__(self, log: LogitsLog) -> None:
        self._log = log

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:  # noqa: ARG002
        """Scores are (batch, vocab_size), float32."""
        self._log.add(scores)
        return scores


class _ForceTokens(LogitsProcessor):
    """Allows one given token per row at each step. After a row's eos, generate() itself fills the row with pads."""

    def __init__(self, tokens: list[tuple[int, ...]], prompt_width: int) -> None:
        self._tokens = tokens
        self._prompt_width = prompt_width

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores are (batch, vocab_size)."""
        step = input_ids.shape[1] - self._prompt_width
        chosen = [tokens[min(step, len(tokens) - 1)] for tokens in self._tokens]
        only = torch.full_like(scores, float("-inf"))
        only[range(len(chosen)), chosen] = 0.0
        return only  # type: ignore[return-value]


def tensors(model: PreTrainedModel, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    """The input_ids and the attention_mask of these rows on the model's input device, (batch, width) each."""
    input_ids = torch.tensor([padded.input_ids for _, padded in rows], device=input_device(model))
    attention_mask = torch.tensor([padded.attention_mask for _, padded in rows], device=input_device(model))
    return input_ids, attention_mask


def _eos_ids(generation_config: GenerationConfig) -> set[int]:
    eos = generation_config.eos_token_id
    return set() if eos is None else set(eos) if isinstance(eos, list) else {eos}


def _up_to_eos(generated_ids: list[int], eos_ids: set[int]) -> tuple[int, ...]:
    end = next((step for step, token_id in enumerate(generated_ids) if token_id in eos_ids), len(generated_ids) - 1)
    return tuple(generated_ids[: end + 1])
