"""The same weights in float32: what a 16-bit model would say without 16-bit rounding."""

import copy

import psutil
import torch
from torch import nn
from transformers import PreTrainedModel

from padcheck.hf.gguf import is_unpacked
from padcheck.hf.ranks import number_of_ranks

HALF = (torch.float16, torch.bfloat16)
_SHARE_OF_FREE_MEMORY = 0.7


class NotOpenError(Exception):
    """A way of running that this model, or this machine, does not have; no fault of either."""


def error_text(error: Exception) -> str:
    """What is kept of an error: its kind as well, unless it only says that a way is not open."""
    return str(error) if isinstance(error, NotOpenError) else f"{type(error).__name__}: {error}"


class Float32Twin:
    """A copy of a 16-bit model in float32, made when it is first asked for. The model itself is left alone."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._copy: PreTrainedModel | None = None

    def model(self) -> PreTrainedModel:
        """The copy.

        Raises:
            NotOpenError: The model is in float32 already, quantized or spread out, or memory is short.
        """
        if self._copy is None:
            self._require_room()
            self._copy = nn.Module.float(copy.deepcopy(self._model))  # transformers' own refuses a GGUF
        return self._copy

    def drop(self) -> None:
        """Gives the memory back; a later call makes another copy."""
        self._copy = None

    def _require_room(self) -> None:
        if self._model.dtype not in HALF:
            raise NotOpenError("the model is not in 16 bit")
        if getattr(self._model, "hf_device_map", None) or _is_quantized(self._model):
            raise NotOpenError("the model is quantized, or spread over devices")
        if number_of_ranks(self._model) > 1:
            # A copy of the layers would go on calling the forward() of the model itself.
            raise NotOpenError("the model is spread over ranks")
        needed, free = 4 * self._model.num_parameters(), _free_memory(self._model.device)
        if free is not None and needed > _SHARE_OF_FREE_MEMORY * free:
            raise NotOpenError(f"{needed / 2**30:.1f} GiB are needed, and {free / 2**30:.1f} GiB are free")


def _is_quantized(model: PreTrainedModel) -> bool:
    return getattr(model, "is_quantized", False) and not is_unpacked(model)


def _free_memory(device: torch.device) -> int | None:
    """Bytes; None where nobody tells."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available) if device.type == "cpu" else None
