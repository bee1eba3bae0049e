"""The other attention implementation, lent to a model for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

from padcheck.evidence import OTHER_ATTENTION
from padcheck.hf.twin import NotOpenError


@contextmanager
def other_attention(model: PreTrainedModel) -> Iterator[None]:
    """Within the context the model runs eager in place of sdpa, or sdpa in place of eager.

    Raises:
        NotOpenError: It has no other one, or cannot change once it is loaded.
    """
    before = getattr(model.config, "_attn_implementation", None)
    other = OTHER_ATTENTION.get(before or "")
    if other is None or not hasattr(model, "set_attn_implementation"):
        raise NotOpenError(f"there is no other one than {before or 'its own'}")
    try:
        try:
            model.set_attn_implementation(other)
        except ValueError as error:
            raise NotOpenError(f"the model has no {other}") from error
        if getattr(model.config, "_attn_implementation", None) != other:
            raise NotOpenError(f"the model does not change from {before} once it is loaded")
        yield
    finally:
        model.set_attn_implementation(before)
