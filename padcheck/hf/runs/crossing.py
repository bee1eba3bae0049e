"""Prompts of repeated text that pass the lengths at which a model changes what it does (--cross-limits)."""

from dataclasses import dataclass, replace

import msgspec
from transformers import PreTrainedModel

from padcheck.core.facts import LengthLimit
from padcheck.hf.float32.view import free_memory
from padcheck.hf.library.config_facts import max_position_embeddings, num_layers, position_encoding
from padcheck.hf.library.devices import input_device

TokenIds = tuple[int, ...]

_BEYOND = 4
"""By how many tokens the longest prompt passes the limit."""

_BYTES = 4
"""Of a number in float32, in which a 16-bit model runs too."""

_GIB = 2**30


@dataclass(frozen=True)
class Crossing:
    """The prompts to add, in the batches that they run in.

    Attributes:
        batches: For each limit, one batch with prompts on both sides of it, and one in which each prompt passes it
            while it generates.
        limits: All limits of the model. Those that the batches pass are crossed; others may say why they are not.
        passed: For each batch, the limit that it was made for, in tokens.
    """

    batches: tuple[tuple[TokenIds, ...], ...]
    limits: tuple[LengthLimit, ...]
    passed: tuple[int, ...]

    def without_longest(self, why: str) -> "Crossing":
        """The same without the batches of the longest limit."""
        longest = max(self.passed)
        kept = [number for number, tokens in enumerate(self.passed) if tokens < longest]
        limits = (
            msgspec.structs.replace(limit, crossed=False, why_not=why)
            if limit.crossed and limit.tokens == longest
            else limit
            for limit in self.limits
        )
        return replace(
            self,
            batches=tuple(self.batches[number] for number in kept),
            limits=tuple(limits),
            passed=tuple(self.passed[number] for number in kept),
        )


def not_crossing(limits: tuple[LengthLimit, ...]) -> Crossing:
    """No prompts are added."""
    return Crossing((), limits, ())


def plan_crossing(
    model: PreTrainedModel, encoded: tuple[TokenIds, ...], limits: tuple[LengthLimit, ...], max_new_tokens: int
) -> Crossing:
    """The prompts that pass each limit that memory and the positions of the model have room for.

    A limit counts as crossed by the prompts of `encoded` only if one of them passes it without its new tokens.

    Args:
        model: The model.
        encoded: The user's prompts. The longest is repeated, the shortest is padded next to it.
        limits: The limits of the model, in ascending order.
        max_new_tokens: How many tokens each prompt will generate.
    """
    shortest, longest = min(encoded, key=len), max(encoded, key=len)
    batches: list[tuple[TokenIds, ...]] = []
    passed: list[int] = []
    checked: list[LengthLimit] = []
    for limit in limits:
        if limit.tokens < len(longest) or limit.tokens in passed:
            checked.append(msgspec.structs.replace(limit, crossed=True))
            continue
        why_not = _no_room(model, limit.tokens + _BEYOND + max_new_tokens)
        checked.append(msgspec.structs.replace(limit, crossed=why_not is None, why_not=why_not))
        if why_not is None:
            added = _batches(shortest, longest, limit.tokens, max_new_tokens)
            batches += added
            passed += [limit.tokens] * len(added)
    return Crossing(tuple(batches), tuple(checked), tuple(passed))


def _batches(shortest: TokenIds, text: TokenIds, limit: int, max_new_tokens: int) -> list[tuple[TokenIds, ...]]:
    batches: list[tuple[TokenIds, ...]] = [(_repeated(text, limit + _BEYOND), shortest)]
    # The row without pads passes the limit at its third new token at the latest, and the row with one pad after it.
    first = limit + 2 - min(max_new_tokens, 3)
    if max_new_tokens > 1 and first > 1:
        batches.append((_repeated(text, first), _repeated(text, first - 1)))
    return batches


def _repeated(text: TokenIds, length: int) -> TokenIds:
    return (text * (length // len(text) + 1))[:length]


def _no_room(model: PreTrainedModel, length: int) -> str | None:
    """Why the model cannot run two rows of this length here; None if it can."""
    config = model.config.get_text_config(decoder=True)
    positions = max_position_embeddings(config)
    if position_encoding(config) == "learned" and positions is not None and length > positions:
        return f"there are only {positions} positions"
    needed, free = _needed_memory(model, length), free_memory(input_device(model))
    if free is not None and needed > free:
        return f"it needs about {needed / _GIB:.1f} GiB of memory, and {free / _GIB:.1f} GiB are free"
    return None


def _needed_memory(model: PreTrainedModel, length: int) -> int:
    """For two rows: scores, mask and softmax of eager attention, and the activations and the cache of all layers.

    Eager attention runs too, to measure rounding, even if the model has another one.
    """
    config = model.config.get_text_config(decoder=True)
    heads, width = (getattr(config, key, None) or 0 for key in ("num_attention_heads", "hidden_size"))
    heads = heads if isinstance(heads, int) else max(heads)
    scores = 3 * heads * length**2
    activations = (4 + 2 * (num_layers(config) or 1)) * width * length
    return 2 * _BYTES * (scores + activations)
