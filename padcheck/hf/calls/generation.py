"""Calls generate() on one batch, and records the tokens, logits and positions of each row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.capture import position_ids_by_column, received_position_ids
from padcheck.hf.calls.logits import LogitsLog
from padcheck.hf.calls.modes import Mode, plain
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
    mode: Mode = plain,
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
        mode: The way to generate.

    Returns:
        One trace per row.

    Raises:
        RuntimeError: generate() did not pass the logits of every step to its logits processors.
        NotOpenError: The model or transformers does not have this mode.
    """
    input_ids, attention_mask = tensors(model, rows)
    width = input_ids.shape[1]
    with torch.inference_mode(), mode(model, input_ids, attention_mask) as arguments:
        start = width if arguments["inputs"] is not None else 0  # the columns of the output before the new tokens
        recorder = _RecordLogits(len(rows), start)
        processors = logits_processors(settings, [index for index, _ in rows], start)
        processors.insert(0, recorder)
        if forced is not None:
            processors.append(_ForceTokens([forced[index] for index, _ in rows], start))
        if not with_mask:
            del arguments["attention_mask"]
        if not with_cache:
            arguments["use_cache"] = False
        with received_position_ids(model) as received, used_positions(model) as used:
            output = model.generate(
                arguments.pop("inputs"),
                max_new_tokens=max_new_tokens or settings.max_new_tokens,
                logits_processor=processors,
                **arguments,
            )
    sequences = output[:, start:].tolist()
    num_steps = len(sequences[0])
    log = recorder.logits(num_steps)
    # If the prompt enters in chunks, only the last one is followed by a token.
    received, used = received[-num_steps:], used[-num_steps:]
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

    def __init__(self, batch_size: int, prompt_width: int) -> None:
        self._log = LogitsLog(batch_size)
        self._prompt_width = prompt_width
        self._number_of_step: dict[int, int] = {}

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores are (batch, vocab_size), float32."""
        # If a draft is refused, its steps come again, after other tokens.
        self._number_of_step[input_ids.shape[1] - self._prompt_width] = len(self._log)
        self._log.add(scores)
        return scores

    def logits(self, num_steps: int) -> LogitsLog:
        """The logits of each step.

        Raises:
            RuntimeError: Some steps are missing.
        """
        found = [self._number_of_step[step] for step in range(num_steps) if step in self._number_of_step]
        if len(found) != num_steps:
            raise RuntimeError(
                f"generate() passed the logits of {len(found)} of its {num_steps} steps to its processors"
            )
        return self._log if len(self._log) == num_steps else self._log.reordered(found)


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
