"""Wraps the public calls of transformers that are watched, and restores them, also after an error.

Each call is wrapped in one place, on the base class that all of transformers' classes share.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, Protocol

import torch
from transformers import GenerationMixin, PreTrainedModel, PreTrainedTokenizerBase

TOKENIZING = ("__call__", "encode", "encode_plus", "batch_encode_plus", "pad")
"""The methods that return token ids; apply_chat_template() calls the first one."""

_DECODING = ("decode", "batch_decode")


class Watching(Protocol):
    """What the wrapped calls report to. Each method runs the original call, and returns or raises what it does."""

    def tokenize(self, original: Callable[..., Any], tokenizer: Any, args: Any, kwargs: Any) -> Any:
        """A tokenizer makes token ids."""

    def set_attribute(self, original: Callable[..., Any], tokenizer: Any, args: Any, kwargs: Any) -> Any:
        """An attribute of a tokenizer is set."""

    def decode(self, original: Callable[..., Any], tokenizer: Any, args: Any, kwargs: Any) -> Any:
        """A tokenizer makes text."""

    def generate(self, original: Callable[..., Any], model: Any, args: Any, kwargs: Any) -> Any:
        """A model generates."""

    def forward(self, original: Callable[..., Any], model: Any, args: Any, kwargs: Any) -> Any:
        """A model runs once."""


@contextmanager
def patched(watching: Watching) -> Iterator[None]:
    """Within the context all calls pass through `watching`."""
    with ExitStack() as stack:
        for name in TOKENIZING:
            stack.enter_context(wrapped(PreTrainedTokenizerBase, name, watching.tokenize))
        for name in _DECODING:
            stack.enter_context(wrapped(PreTrainedTokenizerBase, name, watching.decode))
        stack.enter_context(wrapped(PreTrainedTokenizerBase, "__setattr__", watching.set_attribute))
        stack.enter_context(wrapped(GenerationMixin, "generate", watching.generate))
        stack.enter_context(wrapped(PreTrainedModel, "__call__", watching.forward))
        stack.enter_context(_compiling(watching, stack))
        yield


@contextmanager
def _compiling(watching: Watching, stack: ExitStack) -> Iterator[None]:
    """Watches the modules that torch.compile() returns. What it compiles, the call of the model included, is not seen.

    Their class is not imported before the program compiles something, because that takes seconds.
    """
    original, watched = torch.compile, set[type]()

    def watch(owner: type) -> None:
        if owner not in watched:
            watched.add(owner)
            stack.enter_context(wrapped(owner, "__call__", call))

    def call(run: Callable[..., Any], compiled: Any, args: Any, kwargs: Any) -> Any:
        model = getattr(compiled, "_orig_mod", None)
        if not isinstance(model, PreTrainedModel):
            return run(compiled, *args, **kwargs)
        return watching.forward(lambda _, *args, **kwargs: run(compiled, *args, **kwargs), model, args, kwargs)

    @wraps(original)
    def compile_(*args: Any, **kwargs: Any) -> Any:
        compiled = original(*args, **kwargs)
        if isinstance(getattr(compiled, "_orig_mod", None), PreTrainedModel):
            watch(type(compiled))
        return compiled

    imported = sys.modules.get("torch._dynamo.eval_frame")  # the program has compiled something before
    if imported is not None:
        watch(imported.OptimizedModule)
    torch.compile = compile_
    try:
        yield
    finally:
        if torch.compile is compile_:
            torch.compile = original


@contextmanager
def wrapped(owner: type, name: str, watch: Callable[..., Any]) -> Iterator[None]:
    """Within the context a method of a class calls `watch` with the original method, the object and the arguments."""
    original = getattr(owner, name, None)
    if original is None:  # another version of transformers
        yield
        return

    @wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return original(self, *args, **kwargs)
        return watch(original, self, args, kwargs)

    is_inherited = name not in vars(owner)
    setattr(owner, name, wrapper)
    try:
        yield
    finally:
        # A wrapper that the user has put around this one stays, and then so does this one.
        if vars(owner).get(name) is wrapper:
            if is_inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
