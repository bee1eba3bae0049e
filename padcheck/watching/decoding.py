"""Mistakes in what is decoded: a row that was cut at the wrong column, and pads in the text."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from padcheck.watching import arguments
from padcheck.watching.layout import Layout

_MOST_ROWS = 1024
"""How many generated rows are remembered, the last ones."""


class GeneratedRow(NamedTuple):
    """A row that generate() returned.

    Attributes:
        ids: All columns.
        prompt: The columns of the prompt that hold text.
        width: The number of columns of the prompt.
        end: The column after the last token that is no pad.
    """

    ids: list[int]
    prompt: list[int]
    width: int
    end: int


class GeneratedRows:
    """The rows that generate() returned, to recognise parts of them."""

    def __init__(self) -> None:
        self._rows: deque[GeneratedRow] = deque(maxlen=_MOST_ROWS)

    def add(self, output: Any, layout: Layout, eos: set[int]) -> Iterator[tuple[list[int], list[int]]]:
        """Remembers the rows of an output, and yields each with 1 for each column that is no pad.

        With several sequences per prompt, the rows of a prompt follow each other.
        """
        sequences = output if isinstance(output, torch.Tensor) else output.sequences
        each = max(1, len(sequences) // len(layout.ids))
        for number, ids in enumerate(sequences.tolist()):
            real = layout.real[number // each].tolist()
            if len(ids) < layout.width or number // each >= len(layout.ids):
                return
            end = next((column + 1 for column in range(layout.width, len(ids)) if ids[column] in eos), len(ids))
            prompt = [column for column, is_real in enumerate(real) if is_real]
            if len(layout.ids) > 1:
                self._rows.append(GeneratedRow(ids, prompt, layout.width, end))
            yield ids, [*map(int, real), *([1] * (end - layout.width)), *([0] * (len(ids) - end))]

    def cut_from(self, ids: Sequence[int]) -> tuple[GeneratedRow, int] | None:
        """The row that ends with these ids and the column where they begin; None if no row does."""
        found = [(row, len(row.ids) - len(ids)) for row in self._rows if row.ids[-len(ids) :] == list(ids)]
        return found[-1] if found else None


def faults(
    rows: GeneratedRows, decode: Callable[..., Any], tokenizer: Any, args: Any, kwargs: Any
) -> Iterator[tuple[str, dict[str, object]]]:
    """PAD513 for a row that was cut by the length of its own prompt, PAD514 for a text with pads in it.

    Args:
        rows: What generate() returned.
        decode: tokenizer.decode or batch_decode, unwatched.
        tokenizer: The tokenizer.
        args: The arguments of the call.
        kwargs: The keyword arguments of the call.
    """
    decoded = args[0] if args else kwargs.get("token_ids", kwargs.get("sequences"))
    for ids, _ in arguments.rows_of(decoded):
        found = rows.cut_from(ids)
        if found is None:
            continue
        row, start = found
        if 0 < start < row.width and start == len(row.prompt) and start != row.prompt[0]:
            more = row.ids[start : row.width]
            texts = [_text(decode, tokenizer, each, args, kwargs) for each in (ids, row.ids[row.width :])]
            if texts[0] != texts[1]:
                yield "PAD513", {"start": start, "width": row.width, "tokens": len(more)}
                continue
        pads = row.ids[max(start, row.end) :]
        if start >= row.width and pads.count(tokenizer.pad_token_id) == len(pads) > 0:
            texts = [_text(decode, tokenizer, each, args, kwargs) for each in (ids, row.ids[start : row.end])]
            if texts[0] != texts[1]:
                yield "PAD514", {"pads": len(pads), "token": tokenizer.pad_token}


def _text(decode: Callable[..., Any], tokenizer: Any, ids: list[int], args: Any, kwargs: Any) -> str:
    """One row as text, with the options of the user's call."""
    options = {name: value for name, value in kwargs.items() if name not in {"token_ids", "sequences"}}
    is_batch = getattr(decode, "__name__", "") == "batch_decode"
    text = decode(tokenizer, [ids] if is_batch else ids, *args[1:], **options)
    return str(text[0] if is_batch else text)
