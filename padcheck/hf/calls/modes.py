"""Modes of generate(): each one gives the arguments with which a batch is generated in another way.

In exact arithmetic no mode changes a logit. A mode that generate() ignores, or does not have, raises an error: it must
not look as if it had run.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import signature
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedModel, StaticCache
from transformers.generation import CandidateGenerator

from padcheck.hf.library.exceptions import NotOpenError

Arguments = dict[str, Any]
"""Arguments of generate()."""

Mode = Callable[[PreTrainedModel, torch.Tensor, torch.Tensor], AbstractContextManager[Arguments]]
"""Gives the arguments from the model, input_ids and attention_mask, (batch, width) each; restores what it changes."""

_CACHES = ("past_key_values", "cache_params")
"""The names that models give to their cache."""

_DRAFTED = 2
"""The number of right tokens in a draft."""


@contextmanager
def plain(_model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Iterator[Arguments]:
    """The usual way."""
    yield {"inputs": input_ids, "attention_mask": attention_mask}


@contextmanager
def static_cache(model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Iterator[Arguments]:
    """A cache of fixed size, as torch.compile needs it. Nothing is compiled.

    Raises:
        NotOpenError: generate() did not give the model a static cache.
    """
    seen: set[type] = set()

    def look(_module: nn.Module, _args: tuple[Any, ...], given: Arguments) -> None:
        seen.update(type(given.get(name)) for name in _CACHES)

    before = set(vars(model))
    handle = model.register_forward_pre_hook(look, with_kwargs=True)
    uncompiled = {"disable_compile": True} if hasattr(GenerationConfig(), "disable_compile") else {}
    try:
        yield {
            "inputs": input_ids,
            "attention_mask": attention_mask,
            "cache_implementation": "static",
            **uncompiled,
        }
    finally:
        handle.remove()
        for name in vars(model).keys() - before:  # generate() keeps the cache or its size there
            delattr(model, name)
    if not any(issubclass(kind, StaticCache) for kind in seen):
        raise NotOpenError('generate() ignores cache_implementation="static" for this model')


@contextmanager
def chunked_prefill(
    _model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor
) -> Iterator[Arguments]:
    """The prompt is read in two chunks.

    Raises:
        NotOpenError: The installed transformers cannot do that.
    """
    if not hasattr(GenerationConfig(), "prefill_chunk_size"):
        raise NotOpenError("the installed transformers has no prefill_chunk_size")
    chunk = -(-input_ids.shape[1] // 2)  # half of the columns, rounded up
    yield {"inputs": input_ids, "attention_mask": attention_mask, "prefill_chunk_size": chunk}


@contextmanager
def inputs_embeds(model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Iterator[Arguments]:
    """The embeddings of the prompt take the place of its ids, so generate() knows no ids."""
    embeddings = model.get_input_embeddings()(input_ids)  # (batch, width, hidden_size)
    yield {"inputs": None, "inputs_embeds": embeddings, "attention_mask": attention_mask}


def second_turn(width: int) -> Mode:
    """The first `width` columns are one turn. The others are another turn, which continues the cache of the first.

    Raises:
        NotOpenError: generate() does not return the cache of this model.
    """

    @contextmanager
    def in_two_turns(
        model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> Iterator[Arguments]:
        first = model.generate(
            input_ids[:, :width],
            attention_mask=attention_mask[:, :width],
            max_new_tokens=1,  # it never enters forward(), so the cache holds the first turn only
            return_dict_in_generate=True,
        )
        cache = next((cache for name in _CACHES if (cache := getattr(first, name, None)) is not None), None)
        if cache is None:
            raise NotOpenError("generate() does not return the cache of this model")
        taken = signature(model.forward).parameters
        name = next((name for name in _CACHES if name in taken), _CACHES[0])
        yield {"inputs": input_ids, "attention_mask": attention_mask, name: cache}

    return in_two_turns


def assisted(expected: tuple[int, ...]) -> Mode:
    """One row. At each call the model checks a draft: the next two of the `expected` tokens, then a wrong one.

    The first draft enters with the prompt. From four expected tokens on, another one follows a filled cache.
    """

    @contextmanager
    def with_drafts(
        model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> Iterator[Arguments]:
        drafts = _Drafts(expected, input_ids.shape[1], model.get_input_embeddings().weight.shape[0])
        model._get_candidate_generator = lambda **_given: drafts  # noqa: SLF001  in place of that of another model
        try:
            # This argument makes generate() check drafts; it would look them up in the prompt.
            yield {"inputs": input_ids, "attention_mask": attention_mask, "prompt_lookup_num_tokens": _DRAFTED + 1}
        finally:
            del model._get_candidate_generator  # noqa: SLF001

    return with_drafts


class _Drafts(CandidateGenerator):
    """Drafts two right tokens and a wrong one, so that the model accepts tokens and takes others back each time."""

    def __init__(self, expected: tuple[int, ...], prompt_width: int, embedding_rows: int) -> None:
        self._expected = expected
        self._prompt_width = prompt_width
        self._embedding_rows = embedding_rows

    def get_candidates(self, input_ids: torch.LongTensor, **_given: Any) -> tuple[torch.LongTensor, None]:
        """The ids so far and a draft, (1, length). The draft ends before the last of the expected tokens."""
        step = input_ids.shape[1] - self._prompt_width
        *right, last = self._expected[step : step + _DRAFTED + 1] or (0,)
        wrong = [(last + 1) % self._embedding_rows] if len(right) == _DRAFTED else []
        draft = torch.tensor([[*right, *wrong]], dtype=input_ids.dtype, device=input_ids.device)
        return torch.cat([input_ids, draft], dim=1), None  # type: ignore[return-value]

    def update_candidate_strategy(self, *_given: Any, **_more: Any) -> None:
        """Every draft is made in the same way."""
