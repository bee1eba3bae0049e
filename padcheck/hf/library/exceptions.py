"""Reads exceptions of torch and transformers: the message in one line, and whether memory ran out."""

import re
import textwrap

import torch

OUT_OF_MEMORY_TYPES = (MemoryError, torch.OutOfMemoryError)
OUT_OF_MEMORY_WORDS = ("can't allocate memory", "Cannot allocate memory", "out of memory")
"""Regular expressions; accelerators other than CUDA raise a plain RuntimeError."""

_LONGEST_MESSAGE = 300
"""Characters. Some messages list every architecture in the library."""


def shortened(error: BaseException) -> str:
    """The message in one line, cut if it is longer than 300 characters."""
    return textwrap.shorten(str(error), _LONGEST_MESSAGE)


def is_out_of_memory(error: BaseException) -> bool:
    """True if memory ran out, on the CPU or on a device, while loading or later."""
    return isinstance(error, OUT_OF_MEMORY_TYPES) or any(re.search(words, str(error)) for words in OUT_OF_MEMORY_WORDS)
