"""Makes a model calculate everything in float64, also what its code casts to float32.

Norms, softmax, rotary positions and routers are often calculated in float32, whatever the dtype of the weights. Then
a float64 model rounds as a float32 model does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel


def calculate_in_float64(model: PreTrainedModel) -> PreTrainedModel:
    """Converts the weights and the buffers to float64, and does so with every cast in forward(). Returns the model."""
    forward: Callable[..., Any] = model.forward

    @wraps(forward)
    def in_float64(*args: Any, **kwargs: Any) -> Any:
        with _float64_for_float32():
            return forward(*args, **kwargs)

    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")  # grouped kernels have no float64
    model.double().forward = in_float64
    return model


@contextmanager
def _float64_for_float32() -> Iterator[None]:
    """Within the context torch makes float64 tensors if it is asked for float32 ones, or for no dtype."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Float64ForFloat32():
            yield
    finally:
        torch.set_default_dtype(default)


class _Float64ForFloat32(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs the function with float64 in place of float32."""
        kwargs = {name: _raised(value) for name, value in (kwargs or {}).items()}
        if func is torch.Tensor.float:
            return torch.Tensor.double(*args, **kwargs)
        return func(*map(_raised, args), **kwargs)


def _raised(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value
