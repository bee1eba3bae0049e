"""The attention implementations that a model can use, and a temporary change from one to the other."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel, __version__
from transformers.utils import is_flash_attn_2_available

from padcheck.core.evidence import OTHER_ATTENTION
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.library.exceptions import NotOpenError
from padcheck.hf.library.versions import MASKS_PACKED_PROMPTS


def implementations(model: PreTrainedModel) -> tuple[str, ...]:
    """The ones that this model can be loaded with here; flash attention only if installed, in 16 bit and on CUDA."""
    if getattr(model.config, "_attn_implementation", None) is None:
        return ()
    has_flash = any(getattr(model, f"_supports_flash_attn{version}", False) for version in ("", "_2"))
    has_flash = has_flash and model.device.type == "cuda" and model.dtype in HALF
    available = {
        "eager": True,
        "sdpa": getattr(model, "_supports_sdpa", False),
        "flash_attention_2": has_flash and is_flash_attn_2_available(),
    }
    return tuple(name for name, is_available in available.items() if is_available)


def require_packing(model: PreTrainedModel) -> None:
    """Checks that transformers can keep the prompts of a packed row apart, which it does by their position_ids.

    Raises:
        NotOpenError: This version can do that only for flash attention.
    """
    implementation = getattr(model.config, "_attn_implementation", None) or ""
    if not (MASKS_PACKED_PROMPTS or implementation.startswith("flash_attention")):
        raise NotOpenError(f"transformers {__version__} keeps packed prompts apart only with flash attention")


@contextmanager
def other_attention(model: PreTrainedModel) -> Iterator[None]:
    """Within the context the model runs eager in place of sdpa, or sdpa in place of eager.

    Raises:
        NotOpenError: The model has no other implementation, or cannot change after loading.
    """
    before = getattr(model.config, "_attn_implementation", None)
    other = OTHER_ATTENTION.get(before or "")
    if other is None or not hasattr(model, "set_attn_implementation"):
        raise NotOpenError(f"the model has no attention implementation besides {before or 'its own code'}")
    try:
        try:
            model.set_attn_implementation(other)
        except ValueError as error:
            raise NotOpenError(f"the model does not support {other}") from error
        if getattr(model.config, "_attn_implementation", None) != other:
            raise NotOpenError(f"the model cannot change from {before} after loading")
        yield
    finally:
        model.set_attn_implementation(before)
