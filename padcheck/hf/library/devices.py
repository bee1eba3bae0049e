"""Where a model is, also where accelerate has dealt it out to several devices, the CPU's memory and the disk."""

import torch
from transformers import PreTrainedModel

_AWAY = ("cpu", "disk")


def default_device() -> torch.device:
    """This machine's accelerator, as transformers' pipelines choose it: cuda, xpu, mps and others; else the CPU."""
    if hasattr(torch, "accelerator"):
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    names = {"cuda": torch.cuda, "xpu": torch.xpu, "mps": torch.backends.mps}  # before torch 2.6
    return torch.device(next((name for name, backend in names.items() if backend.is_available()), "cpu"))


def empty_cache(model: PreTrainedModel) -> None:
    """Gives back what torch keeps of freed memory on the model's device, so that larger blocks fit."""
    backend = getattr(torch, input_device(model).type, None)
    if backend is not None and hasattr(backend, "empty_cache"):
        backend.empty_cache()


def input_device(model: PreTrainedModel) -> torch.device:
    """Where forward() wants its inputs.

    That is not the model's own device where its first weights are fetched anew for each call, and on meta until then.
    """
    device: torch.device = model.device
    places = getattr(model, "hf_device_map", None)
    if not places or device.type != "meta":
        return device
    return torch.device(next((place for place in places.values() if place not in _AWAY), "cpu"))


def device_names(model: PreTrainedModel) -> str:
    """All places that hold weights, in the order of the layers, such as `cuda:0, cpu, disk`."""
    places = dict.fromkeys((getattr(model, "hf_device_map", None) or {}).values())
    if not places or (len(places) == 1 and "disk" not in places):
        return str(model.device)
    return ", ".join("disk" if place == "disk" else str(torch.device(place)) for place in places)
