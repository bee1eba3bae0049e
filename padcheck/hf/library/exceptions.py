"""Reads exceptions of torch and transformers: the message, whether memory ran out or the model ran, and panics."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

OUT_OF_MEMORY_TYPES = (MemoryError, torch.OutOfMemoryError)
OUT_OF_MEMORY_WORDS = ("can't allocate memory", "Cannot allocate memory", "out of memory")
"""Regular expressions; accelerators other than CUDA raise a plain RuntimeError."""

_LONGEST_MESSAGE = 300
"""Characters, except that the first sentence is never cut. Some messages list every architecture in the library."""

_LONGEST_SENTENCE = 1000
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?]) +(?=[A-Z])")


class NotOpenError(Exception):
    """This model or this machine does not support this way of running. That is not a fault."""


def error_text(error: Exception) -> str:
    """The text of an error as the report shows it: with its class, except for a NotOpenError."""
    return str(error) if isinstance(error, NotOpenError) else f"{type(error).__name__}: {error}"


def raised_in_forward(error: BaseException) -> bool:
    """True if a forward() raised it. Otherwise the library, or padcheck, has refused the call."""
    call = nn.Module._call_impl.__code__  # noqa: SLF001  every forward() is called from here
    return any(frame.f_code is call for frame, _ in traceback.walk_tb(error.__traceback__))


def shortened(error: BaseException) -> str:
    """The message in one line: whole sentences, up to 300 characters; the error's type if the first is too long."""
    first, *others = _BETWEEN_SENTENCES.split(" ".join(str(error).split()))
    if not 0 < len(first) <= _LONGEST_SENTENCE:
        return type(error).__name__
    kept = first
    for sentence in others:
        if len(kept) + 1 + len(sentence) > _LONGEST_MESSAGE:
            break
        kept = f"{kept} {sentence}"
    return kept


def is_out_of_memory(error: BaseException) -> bool:
    """True if memory ran out, on the CPU or on a device, while loading or later."""
    return matches(error, OUT_OF_MEMORY_TYPES, OUT_OF_MEMORY_WORDS)


def matches(error: BaseException, types: tuple[type[BaseException], ...], words: tuple[str, ...]) -> bool:
    """True if the error has one of the types, or one of the regular expressions is found in "TypeName: message"."""
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, types) or any(re.search(word, text) for word in words)


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Within the context, a panic of a library that is written in Rust is raised as a RuntimeError.

    pyo3 derives its PanicException from BaseException, and each library has its own, which cannot be imported. But a
    tokenizer that panics is an ordinary failure: only that model cannot be measured.

    Raises:
        RuntimeError: The code in the context panicked.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"the Rust code panicked: {error}") from error
