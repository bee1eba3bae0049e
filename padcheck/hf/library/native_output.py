"""Keeps what native code prints off stdout, which belongs to the report."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

_STDOUT = 1
"""The file descriptor. Native code writes to it, past sys.stdout."""


@contextmanager
def native_prints() -> Iterator[None]:
    """Within the context, what native code prints is held back; afterwards it is written to sys.stdout.

    The Rust code of tokenizers prints the name of every unknown key of a token, which comes with the model. Threads of
    this process that write to stdout meanwhile are held back too.
    """
    try:
        before = os.dup(_STDOUT)
    except OSError:  # stdout is closed
        yield
        return
    with TemporaryFile() as printed:
        os.dup2(printed.fileno(), _STDOUT)
        try:
            yield
        finally:
            os.dup2(before, _STDOUT)
            os.close(before)
            printed.seek(0)
            sys.stdout.write(printed.read().decode(errors="backslashreplace"))
