"""Faults that make a row depend on its neighbours, with or without padding."""

import torch
from transformers import PreTrainedModel

from zoo.families import build_family
from zoo.planting import Planted

_CAPACITY = 12
_LEVELS = 4


def expert_capacity(dtype: torch.dtype) -> PreTrainedModel:
    """Tokens beyond the capacity of an MLP skip it, in the order of the batch (capacity limits of experts)."""
    model = build_family(dtype)

    def drop(_mlp: torch.nn.Module, _args: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        shape = output.shape[:2]
        number = torch.arange(shape.numel(), device=output.device).view(*shape, 1)  # (batch, new, 1)
        return output.masked_fill(number >= _CAPACITY, 0.0)

    for layer in model.model.layers:
        layer.mlp.register_forward_hook(drop)
    return model


def shared_scale(dtype: torch.dtype) -> PreTrainedModel:
    """Activations are quantized with one scale for the whole batch (per-tensor dynamic quantization, LLM.int8)."""
    model = build_family(dtype)

    def quantize(_down: torch.nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        step = args[0].abs().max() / _LEVELS
        return ((args[0] / step).round() * step,)

    for layer in model.model.layers:
        layer.mlp.down_proj.register_forward_pre_hook(quantize)
    return model


FAULTS = (
    Planted("expert capacity", expert_capacity, "PAD206", by_neighbours=True),
    Planted(
        "one scale for the batch",
        shared_scale,
        "PAD206",
        by_neighbours=True,
        drowns_in=dict.fromkeys((torch.bfloat16, torch.float16), "PAD206"),
    ),
)
