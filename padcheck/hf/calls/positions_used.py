"""Listens to the positions that a model looks up, whatever position_ids it received, and leaves no trace."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from padcheck.core.evidence import PositionsUsedBy
from padcheck.hf.calls.capture import position_ids_by_column
from padcheck.hf.library.config_facts import position_encoding

_MATRIX = 2
_LOOKUPS: dict[Callable[..., Any], tuple[int, str]] = {
    functional.embedding: (0, "input"),
    torch.embedding: (1, "indices"),
    torch.index_select: (2, "index"),
    torch.Tensor.index_select: (2, "index"),
    torch.Tensor.__getitem__: (1, "index"),
}
"""How modules take rows of a table, and the place and the name of the indices. Whisper slices its table."""

_NAMED_FOR_POSITIONS = re.compile(r"posit|(?<![a-z])pos(?![a-z])|wpe", re.IGNORECASE)
_OF_DISTANCES = re.compile("relative", re.IGNORECASE)


@dataclass
class UsedPositions:
    """The positions that one forward() call used.

    Attributes:
        rows: Rows of its batch.
        columns: Columns that entered it.
        table: The rows of a position table that it looked up: (rows or 1, columns) on the CPU, or None.
        rotary: The positions that its rotary module was given, in the same shape, or None.
    """

    rows: int
    columns: int
    table: torch.Tensor | None = None
    rotary: torch.Tensor | None = None

    @property
    def positions(self) -> torch.Tensor | None:
        """Those of the table, or else of the rotary module."""
        return self.rotary if self.table is None else self.table


@contextmanager
def used_positions(model: PreTrainedModel) -> Iterator[list[UsedPositions]]:
    """Collects the positions of each forward() call of the model.

    Sources are the lookups in position tables, which may add an offset or count by the mask themselves, and the integer
    tensors that rotary modules are given. Positions stay unknown where a table is indexed outside a module (GPT-J,
    CTRL), and where the model adds columns itself (Reformer).
    """
    calls: list[UsedPositions] = []

    def begin(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = (*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds"))
        rows, columns = next(tensor.shape[:2] for tensor in given if tensor is not None)
        calls.append(UsedPositions(rows, columns))

    def looked_up(indices: list[torch.Tensor]) -> None:
        # Several lookups in one forward() are rows or axes apart, and none of them has all positions.
        if calls and calls[-1].table is None and len(indices) == 1:
            calls[-1].table = _by_row(indices[0], calls[-1])

    def rotated(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if calls and calls[-1].rotary is None:
            found = (_by_row(_first_section(given), calls[-1]) for given in (*args, *kwargs.values()))
            calls[-1].rotary = next((positions for positions in found if positions is not None), None)

    with ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(begin, with_kwargs=True).remove)
        for module in _rotary_modules(model):
            stack.callback(module.register_forward_pre_hook(rotated, with_kwargs=True).remove)
        for table in _position_tables(model):
            stack.enter_context(_overheard(table, looked_up))
        yield calls


def positions_by_column(
    model: PreTrainedModel, used: Sequence[UsedPositions], row: int, prompt_width: int, num_columns: int
) -> tuple[tuple[int | None, ...], PositionsUsedBy | None]:
    """The position that each column of a row had when it was first used, and what used it.

    A table in a rotary model (RoFormer) holds angles, and counts as rotary.

    Args:
        model: Its config tells whether it is rotary.
        used: One entry a forward() call; the first is the prompt's, each later one adds a column.
        row: The row of the batch.
        prompt_width: Columns of the padded prompt.
        num_columns: Columns wanted; the last generated token never entered.
    """
    positions = position_ids_by_column([call.positions for call in used], row, prompt_width, num_columns)
    if not any(position is not None for position in positions):
        return positions, None
    in_table = any(call.table is not None for call in used)
    return positions, "table" if in_table and position_encoding(model.config) != "rotary" else "rotary"


def _position_tables(model: PreTrainedModel) -> Iterator[nn.Module]:
    """Embeddings that are named for positions, and modules without learned weights in their place (XGLM, M2M100)."""
    for name, module in model.named_modules():
        kind = type(module).__name__
        if not isinstance(module, nn.Embedding) and not ("Position" in kind and "Embedding" in kind):
            continue
        known_by = f"{name} {kind}"
        of_positions = _NAMED_FOR_POSITIONS.search(known_by) and not _OF_DISTANCES.search(known_by)
        if of_positions and module is not model.get_input_embeddings():
            yield module


def _rotary_modules(model: PreTrainedModel) -> Iterator[nn.Module]:
    for module in model.modules():
        kind = type(module).__name__
        if "Rotary" in kind and "Vision" not in kind:
            yield module


@contextmanager
def _overheard(table: nn.Module, looked_up: Callable[[list[torch.Tensor]], None]) -> Iterator[None]:
    """Within the context `looked_up` is told the indices of each forward() of a table.

    It is wrapped and not hooked: a hook behind it does not run where forward() raises, and the mode would stay on.
    """
    forward, was_set = table.forward, "forward" in vars(table)

    @wraps(forward)
    def listening(*args: Any, **kwargs: Any) -> Any:
        with _Lookups() as lookups:
            output = forward(*args, **kwargs)
        looked_up(lookups.indices)
        return output

    table.forward = listening
    try:
        yield
    finally:
        if was_set:  # by accelerate, which moves weights around it
            table.forward = forward
        else:
            del table.forward


class _Lookups(TorchFunctionMode):
    """Notes the indices of the rows that are taken from a table."""

    def __init__(self) -> None:
        super().__init__()
        self.indices: list[torch.Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        indices = _indices(func, args, kwargs)
        if indices is not None:
            self.indices.append(indices)
        return result


def _indices(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor | None:
    """Which rows of a table a function took; None where it took none."""
    if func not in _LOOKUPS:
        return None
    place, name = _LOOKUPS[func]
    index = args[place] if place < len(args) else kwargs.get(name)
    if func is not torch.Tensor.__getitem__:
        return index if isinstance(index, torch.Tensor) else None
    table = args[0]
    if table.dim() != _MATRIX or not table.is_floating_point() or not isinstance(index, slice | torch.Tensor):
        return None
    rows: torch.Tensor = torch.arange(len(table), device=table.device)[index]
    return rows


def _first_section(given: Any) -> Any:
    """Text has the same position in every section of (sections, rows, columns)."""
    return given[0] if isinstance(given, torch.Tensor) and given.dim() > _MATRIX else given


def _by_row(given: Any, call: UsedPositions) -> torch.Tensor | None:
    """A copy of positions as (rows or 1, columns) on the CPU; None where this is something else.

    They come as (rows or 1, columns), as one row (columns,), or as all rows in one, (rows * columns,).
    """
    if type(given) is not torch.Tensor or given.is_floating_point() or given.dtype == torch.bool:
        return None
    shape = tuple(given.shape)
    if shape in {(call.columns,), (call.rows * call.columns,)}:
        given = given.reshape(-1, call.columns)
    elif shape not in {(1, call.columns), (call.rows, call.columns)}:
        return None
    on_cpu: torch.Tensor = given.detach().to("cpu", copy=True)
    return on_cpu
