"""Calls forward() without generate(): once on a batch, over all steps of one prompt, or with the cache of a batch."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Rows, unpadded
from padcheck.hf.calls.capture import position_ids_by_column, received_position_ids
from padcheck.hf.calls.generation import tensors
from padcheck.hf.calls.logits import LogitsLog
from padcheck.hf.calls.positions_used import positions_by_column, used_positions
from padcheck.hf.calls.sampling import logits_processors
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.library.devices import input_device


def forward(
    model: PreTrainedModel,
    rows: Rows,
    settings: MeasureSettings,
    *,
    with_mask: bool = True,
    positions: Callable[[tuple[int, ...]], tuple[int, ...]] | None = None,
) -> list[RowTrace]:
    """Runs one batch once and reads each row at its last real token. The model must be in eval mode.

    Args:
        model: Not changed.
        rows: Padded prompts of one width, each with the index of its prompt.
        settings: How to choose the token. A sampled draw uses the same noise as in generate().
        with_mask: Whether to pass attention_mask.
        positions: Computes the position_ids of a row from its mask. If None, no position_ids are passed.

    Returns:
        One trace per row, with one new token.

    Raises:
        TypeError: `positions` is given, but the model takes no position_ids.
    """
    input_ids, attention_mask = tensors(model, rows)
    arguments = {"attention_mask": attention_mask} if with_mask else {}
    if positions is not None:
        if not takes_position_ids(model):
            raise TypeError("forward() takes no position_ids")
        given = [positions(padded.attention_mask) for _, padded in rows]
        arguments["position_ids"] = torch.tensor(given, device=input_device(model))  # (batch, width)
    log, width = LogitsLog(len(rows)), input_ids.shape[1]
    with torch.inference_mode(), received_position_ids(model) as received, used_positions(model) as used:
        _, logits = _forward_at_last_tokens(model, input_ids, arguments, rows)
        log.add(logits)
        scores = logits_processors(settings, [index for index, _ in rows], width)(input_ids, logits.float())
    chosen = scores.argmax(dim=-1).tolist()
    traces = []
    for row, (_, padded) in enumerate(rows):
        position_ids = position_ids_by_column(received, row, width, width + 1)
        looked_up = positions_by_column(model, used, row, width, width + 1)
        traces.append(RowTrace(padded, (chosen[row],), position_ids, log.row(row, 1), *looked_up))
    return traces


def continue_from_cache(model: PreTrainedModel, rows: Rows, new: list[tuple[int, ...]]) -> list[RowTrace]:
    """Computes two steps: the logits after the prompt, and those after the first token of `new`, from the cache.

    Unlike generate(), this reads a right-padded row at its last real token and gives the new token the next position,
    counted as the model counts. If the second step is still wrong, the cache itself is wrong.

    Args:
        model: In eval mode; not changed.
        rows: Padded prompts of one width, each with the index of its prompt.
        new: The new tokens of each row. Only the first one enters forward().
    """
    input_ids, attention_mask = tensors(model, rows)
    first = torch.tensor([[tokens[0]] for tokens in new], device=input_device(model))  # (batch, 1)
    grown = torch.cat([attention_mask, torch.ones_like(first)], dim=1)  # (batch, width + 1)
    lengths = attention_mask.sum(dim=1)  # (batch,)
    positions = {"position_ids": first_position(model) + lengths[:, None]} if takes_position_ids(model) else {}
    log = LogitsLog(len(rows))
    with torch.inference_mode():
        arguments = {"attention_mask": attention_mask, "use_cache": True}
        prompt, logits = _forward_at_last_tokens(model, input_ids, arguments, rows)
        log.add(logits)
        key = "past_key_values" if hasattr(prompt, "past_key_values") else "cache_params"
        cache = {key: getattr(prompt, key)}
        log.add(model(first, attention_mask=grown, use_cache=True, **positions, **cache).logits[:, -1])
    traces = []
    for row, (_, padded) in enumerate(rows):
        kept = new[row][:2]  # only one token if that is an eos, or if no more were asked for
        traces.append(RowTrace(padded, kept, (None,) * len(padded.input_ids + kept), log.row(row, len(kept))))
    return traces


def packed(model: PreTrainedModel, prompts: Mapping[int, tuple[int, ...]], settings: MeasureSettings) -> list[RowTrace]:
    """Runs prompts one after the other in one row, as in training without padding, and reads the last token of each.

    As transformers' DataCollatorWithFlattening does, it passes no attention_mask and position_ids that begin again with
    each prompt, counted as the model counts. Trainers use no cache, and transformers finds packed prompts only without
    one. The lengths that flash attention and some CUDA kernels also take (cu_seq_lens_q, seq_idx) are not passed;
    without those kernels, models ignore them.

    Args:
        model: In eval mode; not changed.
        prompts: Token ids, by the index of the prompt.
        settings: How to choose the token.
    """
    device = input_device(model)
    row = [token_id for prompt in prompts.values() for token_id in prompt]
    first = first_position(model)
    positions = {index: range(first, first + len(prompt)) for index, prompt in prompts.items()}
    ends = [end - 1 for end in accumulate(map(len, prompts.values()))]
    arguments = {"position_ids": torch.tensor([[*chain(*positions.values())]], device=device), "use_cache": False}
    traces = []
    with torch.inference_mode():
        _, logits = _forward_at_columns(model, torch.tensor([row], device=device), arguments, ends)
    for (index, prompt), of_prompt in zip(prompts.items(), logits[0], strict=True):
        log = LogitsLog(1)
        log.add(of_prompt[None])
        ids = torch.tensor([prompt], device=device)
        scores = logits_processors(settings, [index], len(prompt))(ids, of_prompt[None].float())
        traces.append(RowTrace(unpadded(prompt), (int(scores.argmax()),), (*positions[index], None), log.row(0, 1)))
    return traces


def takes_position_ids(model: PreTrainedModel) -> bool:
    """True if forward() has the parameter position_ids."""
    return "position_ids" in inspect.signature(model.forward).parameters


def first_position(model: PreTrainedModel) -> int:
    """The position that the model gives to the first token. RoBERTa and related models start after a row for pads."""
    tables = (module for name, module in model.named_modules() if name.endswith("position_embeddings"))
    rows = (table.padding_idx for table in tables if isinstance(table, nn.Embedding))
    return next((row + 1 for row in rows if row is not None), 0)


def replay(
    model: PreTrainedModel, prompt: tuple[int, ...], new: tuple[int, ...], *, with_positions: bool = False
) -> RowTrace:
    """Computes all steps of one prompt without padding in one forward() without a cache.

    If the model is not causal, a step also sees the tokens after it.

    Args:
        model: In eval mode; not changed.
        prompt: The token ids of the prompt.
        new: The new tokens that generate() chose.
        with_positions: Whether to pass the same position_ids as generate(), if the model takes any.
    """
    padded = unpadded(prompt + new[:-1])
    input_ids, attention_mask = tensors(model, [(0, padded)])
    width = input_ids.shape[1]
    positions = {}
    if with_positions and takes_position_ids(model):
        positions = {"position_ids": torch.arange(width, device=input_device(model))[None]}  # (1, width)
    log = LogitsLog(1)
    with torch.inference_mode(), received_position_ids(model) as received, used_positions(model) as used:
        arguments = {"attention_mask": attention_mask, **positions}
        columns = range(len(prompt) - 1, width)
        _, logits = _forward_at_columns(model, input_ids, arguments, columns)  # (1, len(new), vocab_size)
        log.add(logits[0])
    num_columns = len(prompt) + len(new)
    position_ids = position_ids_by_column(received, 0, width, num_columns)
    looked_up = positions_by_column(model, used, 0, width, num_columns)
    return RowTrace(unpadded(prompt), new, position_ids, log.row(0, len(new)), *looked_up)


def _forward_at_last_tokens(
    model: PreTrainedModel, input_ids: torch.Tensor, arguments: dict[str, Any], rows: Rows
) -> tuple[ModelOutput, torch.Tensor]:
    """Calls forward(); returns its output, and the logits at each row's last real token, (batch, vocab_size)."""
    last = [len(padded.attention_mask) - 1 - padded.attention_mask[::-1].index(1) for _, padded in rows]
    columns = sorted(set(last))
    output, logits = _forward_at_columns(model, input_ids, arguments, columns)  # (batch, len(columns), vocab_size)
    return output, logits[range(len(last)), [columns.index(column) for column in last]]


def _forward_at_columns(
    model: PreTrainedModel, input_ids: torch.Tensor, arguments: dict[str, Any], columns: Sequence[int]
) -> tuple[ModelOutput, torch.Tensor]:
    """Calls forward(); returns its output, and the logits of these columns, (batch, len(columns), vocab_size).

    `columns` are in ascending order. As in generate(), the model does not compute the logits of the other columns if
    it has a parameter for that. The output layer is a third of a small model's work, and with a large vocabulary it
    takes most of the memory.
    """
    width = input_ids.shape[1]
    tail = width - columns[0]
    parameter = inspect.signature(model.forward).parameters.get("logits_to_keep")
    keep: dict[str, int | torch.Tensor] = {}
    if parameter is not None:
        takes_columns = "Tensor" in str(parameter.annotation) and tail != len(columns)
        keep["logits_to_keep"] = torch.tensor(columns, device=input_ids.device) if takes_columns else tail
    output = model(input_ids, **arguments, **keep)
    logits = output.logits
    if logits.shape[1] != len(columns):
        # Negative indices are right for the logits of all columns and for those of the tail.
        logits = logits[:, [column - width for column in columns]]
    return output, logits
