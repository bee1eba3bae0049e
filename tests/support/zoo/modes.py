"""Faults of modes: plain generate() is right, and another way to generate is wrong.

Each fault shows only in the calls that one mode makes. Dropping the mask harms padded rows only; other embeddings harm
every row.
"""

from collections.abc import Callable
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel, StaticCache

from padcheck.core.modes import ModeName
from zoo.families import Build, build_family
from zoo.planting import Arguments, Planted

CHUNKED = hasattr(GenerationConfig(), "prefill_chunk_size")
"""False if the installed transformers cannot read a prompt in chunks."""


def _is_static(given: Arguments) -> bool:
    return isinstance(given.get("past_key_values"), StaticCache)


def _is_uncached(given: Arguments) -> bool:
    return given.get("use_cache") is False


def _is_of_embeddings(given: Arguments) -> bool:
    return given.get("inputs_embeds") is not None


def _is_continued(given: Arguments) -> bool:
    """Several tokens enter at a time, and the cache already holds others."""
    cache, ids = given.get("past_key_values"), given.get("input_ids")
    return cache is not None and cache.get_seq_length() > 0 and ids is not None and ids.shape[1] > 1


def drop_mask(_base: PreTrainedModel, given: Arguments) -> Arguments:
    """Pads become visible."""
    mask = given["attention_mask"]
    # Without any mask, transformers 5 takes the positions of pads for those of another text in the same row.
    return {"attention_mask": torch.ones_like(mask) if mask is not None and mask.dim() == 2 else None}


def other_embeddings(base: PreTrainedModel, given: Arguments) -> Arguments:
    """The prompt is read wrongly, with pads and without."""
    embeddings = given.get("inputs_embeds")
    embeddings = base.get_input_embeddings()(given["input_ids"]) if embeddings is None else embeddings
    return {"input_ids": None, "inputs_embeds": embeddings.roll(1, dims=-1)}


Effect = Callable[[PreTrainedModel, Arguments], Arguments]


def in_calls(shows: Callable[[Arguments], bool], effect: Effect) -> Build:
    """Builds a model whose base model is called with the effect's arguments in these calls."""

    def change(base: Any, args: tuple[Any, ...], kwargs: Arguments) -> tuple[tuple[Any, ...], Arguments]:
        return args, kwargs | (effect(base, kwargs) if shows(kwargs) else {})

    def build(dtype: torch.dtype) -> PreTrainedModel:
        model = build_family(dtype)
        model.base_model.register_forward_pre_hook(change, with_kwargs=True)
        return model

    return build


CALLS: dict[ModeName, Callable[[Arguments], bool]] = {
    "static-cache": _is_static,
    "second-turn": _is_continued,
    "no-cache": _is_uncached,
    **({"chunked-prefill": _is_continued} if CHUNKED else {}),
    "inputs-embeds": _is_of_embeddings,
    "assisted": _is_continued,
}
"""The calls by which a mode can be told from plain generate(), if transformers has the mode."""


def _planted(mode: ModeName, effect: Effect, name: str, cause: str) -> Planted:
    build = in_calls(CALLS[mode], effect)
    return Planted(f"{name} ({mode})", build, cause, left=None, settings={"with_modes": (mode,), "max_new_tokens": 6})


FAULTS = (
    *(_planted(mode, drop_mask, "mask dropped", "PAD210") for mode in CALLS),
    *(_planted(mode, other_embeddings, "other embeddings", "PAD209") for mode in CALLS if mode != "no-cache"),
)
