"""The arguments of the user's calls, by name."""

import inspect
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase


def of_forward(model: PreTrainedModel, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of forward(). If they do not fit, only those that were passed by name."""
    try:
        bound = inspect.signature(model.forward).bind_partial(*args, **kwargs)
    except TypeError:
        return dict(kwargs)
    named = dict(bound.arguments)
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(name, {})
        elif parameter.kind is parameter.VAR_POSITIONAL:
            named.pop(name, None)
    return named


def of_generate(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of generate(), with the ids as `input_ids`."""
    named = dict(kwargs)
    ids = args[0] if args else named.pop("inputs", None)
    if ids is not None:
        named["input_ids"] = ids
    return named


def generation_setting(model: PreTrainedModel, arguments: Mapping[str, Any], name: str) -> Any:
    """A setting of generate(): its argument, or that of the generation_config which applies."""
    if arguments.get(name) is not None:
        return arguments[name]
    config = arguments.get("generation_config")
    given = getattr(config, name, None)
    return given if given is not None else getattr(model.generation_config, name, None)


def eos_ids(eos: Any) -> set[int]:
    """The ids that end a text, from the setting eos_token_id."""
    return set() if eos is None else {int(one) for one in eos} if hasattr(eos, "__iter__") else {int(eos)}


def rows_of(encoded: Any) -> list[tuple[list[int], list[int] | None]]:
    """The rows that a tokenizer returned, each with its attention mask; empty if they are not token ids."""
    is_mapping = isinstance(encoded, Mapping)
    ids = _as_list(encoded.get("input_ids") if is_mapping else encoded)
    mask = _as_list(encoded.get("attention_mask")) if is_mapping else None
    if not isinstance(ids, list) or not ids:
        return []
    if isinstance(ids[0], int):
        ids, mask = [ids], None if mask is None else [mask]
    masks = mask if isinstance(mask, list) and len(mask) == len(ids) else [None] * len(ids)
    rows = [(_as_list(row), _as_list(of_row)) for row, of_row in zip(ids, masks, strict=True)]
    return [(row, of_row) for row, of_row in rows if _is_row(row) and (of_row is None or len(of_row) == len(row))]


def special_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int | None, ...]:
    """The ids that this tokenizer's pads may have."""
    return tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id


def _as_list(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and set(map(type, row)) == {int}
