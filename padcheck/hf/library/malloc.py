"""Makes glibc's malloc return large blocks of memory, such as logits, to the system when they are freed."""

import ctypes
import platform
import sys

_M_MMAP_THRESHOLD = -3
"""The parameter of that name in malloc.h. Source: mallopt(3)."""

_LARGE = 8 * 2**20
"""Bytes."""


def return_large_blocks() -> None:
    """Makes glibc return every block of 8 MiB or more when it is freed, for the rest of the process.

    By default glibc raises this threshold when it frees a large block. Later logits then come from the heap, small
    objects fill the gaps between them, and the heap only grows: with a vocabulary of 256,000 a run took twice the
    memory. Does nothing with another C library.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
