"""Imports torch and transformers: quickly, and with a message if they cannot be imported."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

from padcheck.core.errors import NotMeasuredError, UsageError


@contextmanager
def importing() -> Iterator[None]:
    """Turns garbage collection off: importing torch and transformers then takes 2.0 s instead of 2.7 s.

    The imports create about a million objects, and hardly any of them is garbage.

    Raises:
        UsageError: A library read an environment variable that it does not understand.
        NotMeasuredError: A library cannot be imported.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    except ValueError as error:
        # The libraries read their variables while they are imported, such as int(os.environ["HF_HUB_ETAG_TIMEOUT"]).
        wrong = [name for name, value in os.environ.items() if value and repr(value) in str(error)]
        if not wrong:
            raise
        raise UsageError(
            f"The environment variable {wrong[0]} has a value that cannot be used: {os.environ[wrong[0]]}",
            meaning=f"A library that padcheck imports rejects it: {error}",
            change="Correct it or unset it. A time limit, for example, is a whole number of seconds.",
        ) from error
    except ImportError as error:
        raise NotMeasuredError(
            f"torch or transformers cannot be imported: {error}.",
            meaning="The installation is incomplete, or memory ran out.",
            change="Install padcheck in a new environment, or raise the limit of memory (ulimit -v).",
        ) from error
    finally:
        if was_enabled:
            gc.enable()
