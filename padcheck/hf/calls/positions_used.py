"""Records the positions that a model really uses, whatever position_ids it received; hooks are removed afterwards."""

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

from padcheck.core.run_results import PositionsUsedBy
from padcheck.hf.calls.capture import position_ids_by_column
from padcheck.hf.library.config_facts import position_encoding

_MATRIX_DIMS = 2
_LOOKUPS: dict[Callable[..., Any], tuple[int, str]] = {
    functional.embedding: (0, "input"),
    torch.embedding: (1, "indices"),
    torch.index_select: (2, "index"),
    torch.Tensor.index_select: (2, "index"),
    torch.Tensor.__getitem__: (1, "index"),
}
"""Functions that take rows of a table, with the place and the name of the argument for the indices.

Whisper slices its table, so `__getitem__` is one of them.
"""

_NAMED_FOR_POSITIONS = re.compile(r"posit|(?<![a-z])pos(?![a-z])|wpe", re.IGNORECASE)
_NAMED_FOR_DISTANCES = re.compile("relative", re.IGNORECASE)


@dataclass
class UsedPositions:
    """The positions that one forward() call used.

    Attributes:
        rows: The number of rows in its input.
        columns: The number of columns in its input.
        table: The indices that it looked up in a position table: (rows or 1, columns) on the CPU, or None.
        rotary: The positions that its rotary module received: (rows or 1, columns) on the CPU, or None.
    """

    rows: int
    columns: int
    table: torch.Tensor | None = None
    rotary: torch.Tensor | None = None

    @property
    def positions(self) -> torch.Tensor | None:
        """The indices in the table if they are known, otherwise the positions of the rotary module."""
        return self.rotary if self.table is None else self.table


@contextmanager
def used_positions(model: PreTrainedModel) -> Iterator[list[UsedPositions]]:
    """Collects the positions that each forward() call of the model uses.

    There are two sources: lookups in position tables, and the integer tensors that rotary modules receive. A table
    module may add an offset, or count positions from the mask itself. Positions stay unknown if the model indexes its
    table outside a module (GPT-J, CTRL), or adds columns itself (Reformer).
    """
    calls: list[UsedPositions] = []

    def on_forward(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = (*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds"))
        rows, columns = next(tensor.shape[:2] for tensor in given if tensor is not None)
        calls.append(UsedPositions(rows, columns))

    def on_lookups(indices: list[torch.Tensor]) -> None:
        # If a table is looked up several times, each lookup is for one row or one axis, so no lookup has all positions.
        if calls and calls[-1].table is None and len(indices) == 1:
            calls[-1].table = _by_row(indices[0], calls[-1])

    def on_rotary(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if calls and calls[-1].rotary is None:
            found = (_by_row(_first_section(given), calls[-1]) for given in (*args, *kwargs.values()))
            calls[-1].rotary = next((positions for positions in found if positions is not None), None)

    with ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(on_forward, with_kwargs=True).remove)
        for module in _rotary_modules(model):
            stack.callback(module.register_forward_pre_hook(on_rotary, with_kwargs=True).remove)
        for table in _position_tables(model):
            stack.enter_context(_lookups_reported(table, on_lookups))
        yield calls


def positions_by_column(
    model: PreTrainedModel, used: Sequence[UsedPositions], row: int, prompt_width: int, num_columns: int
) -> tuple[tuple[int | None, ...], PositionsUsedBy | None]:
    """The position of each column of a row when it was first used, and what used it; None for what is unknown.

    A position table in a rotary model (RoFormer) holds angles, so it counts as rotary.

    Args:
        model: Its config says whether it is rotary.
        used: One entry per forward() call. The first call gets the prompt, each later one adds a column.
        row: The row of the batch.
        prompt_width: The number of columns of the padded prompt.
        num_columns: The number of columns to return. The last generated token never enters forward(), so it is None.
    """
    positions = position_ids_by_column([call.positions for call in used], row, prompt_width, num_columns)
    if not any(position is not None for position in positions):
        return positions, None
    in_table = any(call.table is not None for call in used)
    return positions, "table" if in_table and position_encoding(model.config) != "rotary" else "rotary"


def _position_tables(model: PreTrainedModel) -> Iterator[nn.Module]:
    """Embeddings named for positions, and modules with fixed weights that do the same job (XGLM, M2M100)."""
    for name, module in model.named_modules():
        kind = type(module).__name__
        if not isinstance(module, nn.Embedding) and not ("Position" in kind and "Embedding" in kind):
            continue
        names = f"{name} {kind}"
        is_for_positions = _NAMED_FOR_POSITIONS.search(names) and not _NAMED_FOR_DISTANCES.search(names)
        if is_for_positions and module is not model.get_input_embeddings():
            yield module


def _rotary_modules(model: PreTrainedModel) -> Iterator[nn.Module]:
    for module in model.modules():
        kind = type(module).__name__
        if "Rotary" in kind and "Vision" not in kind:
            yield module


@contextmanager
def _lookups_reported(table: nn.Module, on_lookups: Callable[[list[torch.Tensor]], None]) -> Iterator[None]:
    """Calls `on_lookups` after each forward() of the table, with the indices that this forward() looked up.

    forward() is wrapped, not hooked: if forward() raises, a hook after it does not run, and `_Lookups` would stay on.
    """
    forward, was_set = table.forward, "forward" in vars(table)

    @wraps(forward)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        with _Lookups() as lookups:
            output = forward(*args, **kwargs)
        on_lookups(lookups.indices)
        return output

    table.forward = reporting
    try:
        yield
    finally:
        if was_set:  # for example by accelerate, to move weights before and after
            table.forward = forward
        else:
            del table.forward


class _Lookups(TorchFunctionMode):
    """Collects the indices of all rows that are taken from a table while the mode is active."""

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
    """The indices of the rows that this call takes from a table; None if it is no lookup."""
    if func not in _LOOKUPS:
        return None
    place, name = _LOOKUPS[func]
    index = args[place] if place < len(args) else kwargs.get(name)
    if func is not torch.Tensor.__getitem__:
        return index if isinstance(index, torch.Tensor) else None
    table = args[0]
    if table.dim() != _MATRIX_DIMS or not table.is_floating_point() or not isinstance(index, slice | torch.Tensor):
        return None
    rows: torch.Tensor = torch.arange(len(table), device=table.device)[index]
    return rows


def _first_section(given: Any) -> Any:
    """The first section of (sections, rows, columns); text has the same position in every section."""
    return given[0] if isinstance(given, torch.Tensor) and given.dim() > _MATRIX_DIMS else given


def _by_row(given: Any, call: UsedPositions) -> torch.Tensor | None:
    """A copy of positions as (rows or 1, columns) on the CPU; None if `given` is not positions.

    Accepts (rows or 1, columns), one row (columns,), and all rows in one dimension, (rows * columns,).
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
