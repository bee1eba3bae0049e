"""The same weights in float32: what a 16-bit model would say without 16-bit rounding."""

import copy

from transformers import PreTrainedModel

from padcheck.hf.float32 import HALF, NotOpenError, error_text, free_memory
from padcheck.hf.ranks import number_of_ranks

__all__ = ["HALF", "Float32Twin", "NotOpenError", "error_text"]

_free_memory = free_memory
_SHARE_OF_FREE_MEMORY = 0.7


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
            self._copy = copy.deepcopy(self._model).float()
        return self._copy

    def drop(self) -> None:
        """Gives the memory back; a later call makes another copy."""
        self._copy = None

    def _require_room(self) -> None:
        if self._model.dtype not in HALF:
            raise NotOpenError("the model is not in 16 bit")
        if getattr(self._model, "hf_device_map", None) or getattr(self._model, "is_quantized", False):
            raise NotOpenError("the model is quantized, or spread over devices")
        if number_of_ranks(self._model) > 1:
            # A copy of the layers would go on calling the forward() of the model itself.
            raise NotOpenError("the model is spread over ranks")
        needed, free = 4 * self._model.num_parameters(), _free_memory(self._model.device)
        if free is not None and needed > _SHARE_OF_FREE_MEMORY * free:
            raise NotOpenError(f"{needed / 2**30:.1f} GiB are needed, and {free / 2**30:.1f} GiB are free")
