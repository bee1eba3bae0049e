"""Finds a model's devices, even if accelerate has spread it over several devices, CPU memory and disk."""

import torch
from transformers import PreTrainedModel

_AWAY = ("cpu", "disk")


def default_device() -> torch.device:
    """This machine's accelerator (cuda, xpu, mps, ...), chosen as in transformers' pipelines; otherwise the CPU."""
    if hasattr(torch, "accelerator"):
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    names = {"cuda": torch.cuda, "xpu": torch.xpu, "mps": torch.backends.mps}  # before torch 2.6
    return torch.device(next((name for name, backend in names.items() if backend.is_available()), "cpu"))


def empty_cache(model: PreTrainedModel) -> None:
    """Returns the freed memory that torch caches on the model's device, to make room for larger blocks."""
    backend = getattr(torch, input_device(model).type, None)
    if backend is not None and hasattr(backend, "empty_cache"):
        backend.empty_cache()


def input_device(model: PreTrainedModel) -> torch.device:
    """The device for the inputs of forward().

    It differs from model.device if accelerate loads the first weights for each call: between calls they are on meta.
    """
    device: torch.device = model.device
    places = getattr(model, "hf_device_map", None)
    if not places or device.type != "meta":
        return device
    return torch.device(next((place for place in places.values() if place not in _AWAY), "cpu"))


def device_names(model: PreTrainedModel) -> str:
    """All devices with weights, in the order of the layers, such as `cuda:0, cpu, disk`."""
    places = dict.fromkeys((getattr(model, "hf_device_map", None) or {}).values())
    if not places or (len(places) == 1 and "disk" not in places):
        return str(model.device)
    return ", ".join("disk" if place == "disk" else str(torch.device(place)) for place in places)
