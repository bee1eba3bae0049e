"""Importing torch and transformers, without looking for garbage in what stays to the end."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Within the context nothing is collected: an import makes a million objects, and hardly one of them is garbage.

    The collector would look through all of them again and again, for a quarter of the time that the import takes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
