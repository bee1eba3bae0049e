"""Calls forward() on one batch in the ways in which the runs of a task differ."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from padcheck.core.padding import position_ids_from_mask
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.forwards import takes_position_ids
from padcheck.hf.calls.generation import tensors
from padcheck.hf.library.devices import input_device


@dataclass(frozen=True)
class Way:
    """How a batch enters forward().

    Attributes:
        with_mask: Whether attention_mask is passed.
        with_positions: Whether position_ids are passed, counted from the mask.
        as_embeddings: Whether inputs_embeds are passed in place of input_ids.
        pooling: How hidden states are pooled, for the task embed; None for the pooling of the task.
        with_cache: Whether the model may fill a cache; some models cannot differentiate that.
        pad_id: The pad id that the config has during the call; None if it stays.
    """

    with_mask: bool = True
    with_positions: bool = False
    as_embeddings: bool = False
    pooling: str | None = None
    with_cache: bool = True
    pad_id: int | None = None


AS_USERS = Way()
"""ids and mask, as tokenizers return them."""


def call(model: PreTrainedModel, rows: Rows, way: Way, **others: torch.Tensor) -> ModelOutput:
    """Runs one batch.

    Args:
        model: In eval mode. It is not changed.
        rows: Padded texts of one width.
        way: How they enter forward().
        others: What else forward() gets, such as labels.

    Raises:
        TypeError: Positions are to be passed, but the model takes no position_ids.
        Exception: Any error that the model raises.
    """
    input_ids, attention_mask = tensors(model, rows)
    arguments: dict[str, Any] = {"input_ids": input_ids, **others}
    if way.as_embeddings:
        arguments = {"inputs_embeds": model.get_input_embeddings()(input_ids), **others}
    if way.with_mask:
        arguments["attention_mask"] = attention_mask
    if way.with_positions:
        if not takes_position_ids(model):
            raise TypeError("forward() takes no position_ids")
        positions = [position_ids_from_mask(padded.attention_mask) for _, padded in rows]
        arguments["position_ids"] = torch.tensor(positions, device=input_device(model))  # (batch, width)
    if not way.with_cache:
        arguments |= no_cache(model)
    with _pad_id_set(model, way.pad_id):
        output: ModelOutput = model(**arguments)
    return output


def no_cache(model: PreTrainedModel) -> dict[str, bool]:
    """The argument that keeps forward() from filling a cache; empty if it has no such argument."""
    return {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}


@contextmanager
def _pad_id_set(model: PreTrainedModel, pad_id: int | None) -> Iterator[None]:
    """Within the context the config and its language model's part name this pad id."""
    if pad_id is None:
        yield
        return
    configs = {id(config): config for config in (model.config, model.config.get_text_config())}.values()
    before = [(config, getattr(config, "pad_token_id", None)) for config in configs]
    try:
        for config in configs:
            config.pad_token_id = pad_id
        yield
    finally:
        for config, own in before:
            config.pad_token_id = own
