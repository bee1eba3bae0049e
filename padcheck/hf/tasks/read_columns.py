"""Finds the columns of a batch that a head reads, for any head: those to which its output has a gradient.

The last layer gives hidden states for every column. A head reads one of them (the last token, the first), or all.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

Columns = list[tuple[int, ...] | None]
"""For each row the columns that the head reads; None if they are unknown."""


def columns_read(model: nn.Module, run: Callable[[], torch.Tensor], num_rows: int, num_columns: int) -> Columns:
    """The columns that the output of `run` depends on directly, after the last layer of the model.

    Each layer is cut off from the one before, so only what comes after the last layer is differentiated, and only one
    layer's activations are kept at a time. Weights get no gradients.

    Args:
        model: In eval mode. Its hooks are removed afterwards.
        run: Calls the model on a batch once, and returns numbers of each row, (num_rows, numbers).
        num_rows: The number of rows in that batch.
        num_columns: Its number of columns.

    Returns:
        None for each row if the layers, or their layout, are not known.

    Raises:
        Exception: Any error that `run` raises.
    """
    states: list[torch.Tensor] = []
    with torch.enable_grad(), _layers_cut(model, states):
        gradient = _gradient(run(), states)
    if gradient is None:
        return [None] * num_rows
    reaches = gradient.abs().sum(dim=-1) > 0  # (rows, columns) or (columns, rows)
    if tuple(reaches.shape) == (num_columns, num_rows) and num_rows != num_columns:
        reaches = reaches.T
    if tuple(reaches.shape) != (num_rows, num_columns):
        return [None] * num_rows
    return [tuple(row.nonzero()[:, 0].tolist()) for row in reaches]


def _gradient(output: torch.Tensor, states: list[torch.Tensor]) -> torch.Tensor | None:
    """The gradient of all numbers with respect to the hidden states; None if they do not depend on them."""
    if not states or not output.requires_grad:
        return None
    weights = torch.linspace(1, 2, output.numel(), device=output.device).view_as(output)  # so that no sum is constant
    [gradient] = torch.autograd.grad((output.float() * weights).sum(), states, allow_unused=True)
    return gradient


@contextmanager
def _layers_cut(model: nn.Module, last: list[torch.Tensor]) -> Iterator[None]:
    """Within the context the hidden states of each layer start a new graph; `last` gets those of the last layer."""

    def cut(_layer: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, torch.Tensor) or first.dim() != 3 or not first.is_floating_point():  # noqa: PLR2004
            return output
        leaf = first.detach().requires_grad_()
        last[:] = [leaf]
        return (leaf, *output[1:]) if isinstance(output, tuple) else leaf

    layers = [layer for module in model.modules() if isinstance(module, nn.ModuleList) for layer in module]
    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.register_forward_hook(cut).remove)
        yield
