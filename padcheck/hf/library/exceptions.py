"""Reads exceptions of torch and transformers: the message in one line, whether memory ran out, and panics."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

OUT_OF_MEMORY_TYPES = (MemoryError, torch.OutOfMemoryError)
OUT_OF_MEMORY_WORDS = ("can't allocate memory", "Cannot allocate memory", "out of memory")
"""Regular expressions; accelerators other than CUDA raise a plain RuntimeError."""

_LONGEST_MESSAGE = 300
"""Characters, except that the first sentence is never cut. Some messages list every architecture in the library."""

_LONGEST_SENTENCE = 1000
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?]) +(?=[A-Z])")


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
    return isinstance(error, OUT_OF_MEMORY_TYPES) or any(re.search(words, str(error)) for words in OUT_OF_MEMORY_WORDS)


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
