"""One call of generate() or forward(): tokens, logits of every step, and the positions that forward() received."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

from padcheck.core.evidence import PositionsUsedBy
from padcheck.core.padding import PaddedIds
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.capture import position_ids_by_column, received_position_ids
from padcheck.hf.calls.logits import Logits, LogitsLog
from padcheck.hf.calls.positions_used import positions_by_column, used_positions
from padcheck.hf.calls.sampling import logits_processors
from padcheck.hf.library.config_facts import generation_settings
from padcheck.hf.library.devices import input_device

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
        logits: Of each new token, before any processing.
        stand_in: What ran in place of generate(); None if generate() or the arm's own forward() ran.
        positions_used: What the model looked up, one entry a column as well; empty where nobody listened.
        positions_used_by: What looked it up; None where nothing is known.
    """

    padded: PaddedIds
    generated_ids: tuple[int, ...]
    position_ids: tuple[int | None, ...]
    logits: Logits
    positions_used: tuple[int | None, ...] = ()
    positions_used_by: PositionsUsedBy | None = None
    stand_in: str | None = None

    def first_step(self) -> "RowTrace":
        """The first new token alone."""
        columns = len(self.padded.input_ids)
        return replace(
            self,
            generated_ids=self.generated_ids[:1],
            position_ids=(*self.position_ids[:columns], None),
            positions_used=(*self.positions_used[:columns], None) if self.positions_used else (),
            logits=self.logits.first(1),
        )


def overridden_settings(generation_config: GenerationConfig) -> dict[str, object]:
    """What it sets that would make arms differ for reasons other than padding: switched off for the measurement."""
    settings = generation_settings(generation_config)
    # What generate() returns beside the tokens does not change them.
    return {key: value for key, value in settings.items() if key not in _KEPT and not key.startswith("output_")}


@contextmanager
def neutral_generation_config(model: PreTrainedModel, pad_token_id: int | None) -> Iterator[GenerationConfig]:
    """Lends the model a generation_config without penalties, limits and sampling; its own comes back afterwards.

    Passing one to generate() would not do: since transformers 4.50 what it leaves unset is filled in from the model's
    own.
    """
    before = model.generation_config
    kept = {key: value for key in _KEPT if (value := getattr(before, key, None)) is not None}
    neutral = GenerationConfig(do_sample=False)  # draws are made by the shared noise
    for key, value in (kept | {"pad_token_id": pad_token_id}).items():
        setattr(neutral, key, value)  # to its constructor transformers 4.48 must not be given a static cache
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
    """Runs one batch; the model must be in eval mode and hold its neutral generation_config.

    Args:
        model: Not changed.
        rows: Padded prompts of one width, each with the index of its prompt, which decides the noise of a sampled draw.
        settings: How many tokens, and how to draw them.
        max_new_tokens: Fewer tokens than the settings say.
        with_mask: Whether attention_mask is passed.
        with_cache: False runs all columns anew at every step; True leaves it to the generation_config.
        forced: The tokens that a row is made to choose, by the index of its prompt, up to its eos.
    """
    input_ids, attention_mask = tensors(model, rows)
    width = input_ids.shape[1]
    log = LogitsLog(len(rows))
    processors = logits_processors(settings, [index for index, _ in rows], width)
    processors.insert(0, _Listening(log))
    if forced is not None:
        processors.append(_Forcing([forced[index] for index, _ in rows], width))
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
        raise RuntimeError(f"generate() showed the logits of {len(log)} of its {len(sequences[0])} steps")
    eos = _eos_ids(model.generation_config)
    traces = []
    for row, (_, padded) in enumerate(rows):
        generated_ids = _up_to_eos(sequences[row], eos)
        num_columns = width + len(generated_ids)
        position_ids = position_ids_by_column(received, row, width, num_columns)
        looked_up = positions_by_column(model, used, row, width, num_columns)
        traces.append(RowTrace(padded, generated_ids, position_ids, log.row(row, len(generated_ids)), *looked_up))
    return traces


class _Listening(LogitsProcessor):
    """Notes the logits of each step and leaves them as they are.

    generate() itself would keep those of all steps in memory until its end.
    """

    def __init__(self, log: LogitsLog) -> None:
        self._log = log

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:  # noqa: ARG002
        """Scores are (batch, vocab_size), float32."""
        self._log.add(scores)
        return scores


class _Forcing(LogitsProcessor):
    """Leaves one token to choose from at each step; behind its end generate() fills a row up with pads by itself."""

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
    """input_ids and attention_mask, (batch, width)."""
    input_ids = torch.tensor([padded.input_ids for _, padded in rows], device=input_device(model))
    attention_mask = torch.tensor([padded.attention_mask for _, padded in rows], device=input_device(model))
    return input_ids, attention_mask


def _eos_ids(generation_config: GenerationConfig) -> set[int]:
    eos = generation_config.eos_token_id
    return set() if eos is None else set(eos) if isinstance(eos, list) else {eos}


def _up_to_eos(generated_ids: list[int], eos_ids: set[int]) -> tuple[int, ...]:
    end = next((step for step, token_id in enumerate(generated_ids) if token_id in eos_ids), len(generated_ids) - 1)
    return tuple(generated_ids[: end + 1])
