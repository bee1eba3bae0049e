"""Makes padded batches wider than they are: further pad columns on the side on which the batch has its pads."""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from multiprocessing import Value
from threading import local
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from padcheck.watching.patches import TOKENIZING, wrapped

_FILL = {"special_tokens_mask": 1, "labels": -100}
"""What stands in the further columns; 0 for what is not named here."""


class Widening:
    """Adds pad columns to the padded batches that leave a tokenizer."""

    def __init__(self, columns: int) -> None:
        """`columns` is how many columns to add."""
        self._batches = Value("q", 0)  # worker processes, such as those of a DataLoader, share it
        self._columns = columns
        self._state = local()

    @property
    def batches(self) -> int:
        """How many batches were made wider."""
        return int(self._batches.value)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the context batches are wider."""
        with ExitStack() as stack:
            for name in TOKENIZING:
                stack.enter_context(wrapped(PreTrainedTokenizerBase, name, self._call))
            yield

    def _call(self, original: Any, tokenizer: Any, args: Any, kwargs: Any) -> Any:
        if getattr(self._state, "is_inside", False):  # a call that another one makes
            return original(tokenizer, *args, **kwargs)
        self._state.is_inside = True
        try:
            encoded = original(tokenizer, *args, **kwargs)
        finally:
            self._state.is_inside = False
        side = _padded_side(encoded)
        if side is not None:
            fill = {**_FILL, "input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
            widen(encoded, self._columns, side, fill)
            with self._batches.get_lock():
                self._batches.value += 1
        return encoded


def widen(encoded: MutableMapping[str, Any], columns: int, side: str, fill: Mapping[str, int]) -> None:
    """Adds columns to everything in a batch that has a column for each token: tensors, arrays or lists."""
    shape = np.shape(encoded["attention_mask"])
    for name, value in list(encoded.items()):
        if np.shape(value)[:2] == shape:
            encoded[name] = _wider(value, columns, side, fill.get(name, 0))


def _wider(value: Any, columns: int, side: str, fill: int) -> Any:
    before = (columns, 0) if side == "left" else (0, columns)
    if isinstance(value, torch.Tensor):
        return torch.nn.functional.pad(value, (*[0, 0] * (value.dim() - 2), *before), value=fill)
    if isinstance(value, np.ndarray):
        return np.pad(value, [(0, 0), before, *[(0, 0)] * (value.ndim - 2)], constant_values=fill)
    pad = (fill,) * len(value[0][0]) if isinstance(value[0][0], list | tuple) else fill
    return [[pad] * before[0] + list(row) + [pad] * before[1] for row in value]


def _padded_side(encoded: Any) -> str | None:
    """The side on which a batch has pads; None if it has none, or is no batch of one width."""
    mask = encoded.get("attention_mask") if isinstance(encoded, MutableMapping) else None
    rows = mask.tolist() if isinstance(mask, torch.Tensor | np.ndarray) else mask
    if not rows or not isinstance(rows[0], list) or not rows[0] or len({len(row) for row in rows}) > 1:
        return None
    left, right = any(not row[0] for row in rows), any(not row[-1] for row in rows)
    return None if left == right else "left" if left else "right"
