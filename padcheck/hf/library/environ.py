"""Temporary values of environment variables that libraries read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def environment_set(**values: str) -> Iterator[None]:
    """Sets environment variables within the context and restores them afterwards, also after an error."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
